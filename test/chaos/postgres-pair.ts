/** A PostgreSQL and its synchronous standby, on two addresses that stay the same, whichever of the two is the primary. */
import { Client } from 'pg'
import { startPostgres, type TestPostgres } from '../fixtures/postgres.ts'

export interface PostgresPair {
  /** With both hosts in it. */
  readonly url: string
  killPrimary(): Promise<void>
  /** The standby takes writes from now on. */
  promote(): Promise<void>
  /** The dead one comes back as a new standby, and the primary waits for it again. */
  renewStandby(): Promise<void>
  /** Where their files are. */
  folders(): string[]
  stop(): Promise<void>
}

export async function startPostgresPair(): Promise<PostgresPair> {
  const endings: (() => unknown)[] = []
  const t = { teardown: (ending: () => unknown) => endings.push(ending) }
  const all: TestPostgres[] = []
  // None outlives this process, however it ends.
  process.once('exit', () => {
    for (const one of all) void one.kill()
  })

  async function start(options: Parameters<typeof startPostgres>[1]): Promise<TestPostgres> {
    const started = await startPostgres(t, options)
    all.push(started)
    return started
  }

  let primary = await start({})
  let standby = await start({ standbyOf: primary })
  const hosts = `${primary.host},${standby.host}`

  return {
    url: `postgres://ledger@${hosts}/postgres?target_session_attrs=read-write`,
    killPrimary: () => primary.kill(),
    async promote() {
      const client = new Client({ connectionString: standby.url })
      await client.connect()
      await client.query('SELECT pg_promote()')
      await client.end()
      ;[primary, standby] = [standby, primary]
    },
    async renewStandby() {
      standby = await start({ standbyOf: primary, port: Number(standby.host.split(':')[1]) })
    },
    folders: () => all.map(({ folder }) => folder),
    async stop() {
      for (const ending of endings) await ending()
    },
  }
}
