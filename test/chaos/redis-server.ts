/** A real Redis in a process of its own, on a port that stays the same when it is started again. */
import { spawnSync } from 'node:child_process'
import { cp, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePort } from '../fixtures/free-port.ts'
import { type Child, type ChildReport, startChild } from './child.ts'

export interface RedisServer {
  readonly port: number
  goDown(how: 'SIGTERM' | 'SIGKILL'): Promise<void>
  comeBack(): Promise<void>
  /** It dies, and a copy of its files that is so old takes their place. Resolves with the moment of its death. */
  loseTheLast(ms: number): Promise<number>
  stop(): Promise<void>
}

export function hasRedisServer(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0
}

export async function startRedisServer(
  parent: string,
  report: ChildReport,
  ownSettings: Record<string, string> = {},
): Promise<RedisServer> {
  const port = await findFreePort()
  const folder = join(parent, `redis-${port}`)
  await mkdir(folder)
  // `always`, so that whatever was answered is there after SIGKILL. With `everysec` Redis may answer while it waits up to two
  // seconds for a slow disk before it writes, so a kill could take answered claims with it. Nothing would be created twice
  // even then, as the partner knows the request_id; but the ledger would have forgotten, and the checks could not tell.
  const settings = {
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    'maxmemory-policy': 'noeviction',
    ...ownSettings,
  }
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
    port,
    async goDown(how) {
      if (how === 'SIGKILL') await child.kill()
      else await child.stop()
    },
    async comeBack() {
      child = await start()
    },
    async loseTheLast(ms) {
      const copy = `${folder}-copy`
      await cp(folder, copy, { recursive: true })
      await sleep(ms)
      const diesAt = Date.now()
      await child.kill()
      await rm(folder, { recursive: true })
      await cp(copy, folder, { recursive: true })
      await rm(copy, { recursive: true })
      child = await start()
      return diesAt
    },
    async stop() {
      await child.stop()
    },
  }
}
