/** A real Redis in a process of its own, on a port that stays the same when it is started again. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { type Child, type ChildReport, startChild } from './child.ts'

export interface RedisServer {
  readonly url: string
  goDown(how: 'SIGTERM' | 'SIGKILL'): Promise<void>
  comeBack(): Promise<void>
  stop(): Promise<void>
}

export function hasRedisServer(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0
}

export async function startRedisServer(folder: string, report: ChildReport): Promise<RedisServer> {
  const port = await findFreePort()
  // `always`, so that whatever was answered is there after SIGKILL. With `everysec` Redis may answer while it waits up to two
  // seconds for a slow disk before it writes, so a kill could take answered claims with it. Nothing would be created twice
  // even then, as the partner knows the request_id; but the ledger would have forgotten, and the checks could not tell.
  const settings = { appendonly: 'yes', appendfsync: 'always', save: '', 'maxmemory-policy': 'noeviction' }
  const args = Object.entries({ bind: '127.0.0.1', port: String(port), dir: folder, ...settings })
  let child = await start()

  async function start(): Promise<Child> {
    const started = startChild({
      name: 'redis-server',
      command: 'redis-server',
      args: args.flatMap(([name, value]) => [`--${name}`, value]),
      env: { PATH: process.env.PATH ?? '' },
      report,
    })
    await started.firstLine((line) => line.includes('Ready to accept connections') || undefined)
    return started
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    async goDown(how) {
      if (how === 'SIGKILL') await child.kill()
      else await child.stop()
    },
    async comeBack() {
      child = await start()
    },
    async stop() {
      await child.stop()
    },
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
