/** A PostgreSQL of the bench's own, where the machine has one: it waits for its disk, as the default settings do. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { skipPostgres, startPostgres as startForTests } from '../test/fixtures/postgres.ts'
import type { StartedDatabase } from './redis.ts'

export const whyNoPostgres: string | undefined = skipPostgres === false ? undefined : 'no PostgreSQL on this machine'

export async function startPostgres(): Promise<StartedDatabase> {
  const ends: (() => unknown)[] = []
  const settings = { fsync: 'on', shared_buffers: '128MB', max_connections: '200' }
  const { url, folder } = await startForTests({ teardown: (end: () => unknown) => void ends.push(end) }, { settings })
  const pid = Number(readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n', 1))
  const endAtOnce = () => process.kill(pid, 'SIGQUIT')
  process.once('exit', endAtOnce)
  return {
    url,
    pid,
    async stop() {
      process.off('exit', endAtOnce)
      for (const end of ends) await end()
    },
  }
}
