/** A Redis of the bench's own, where the machine has one. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findOnPath } from '../test/fixtures/tools.ts'
import { stopChild, watchOver, workFolder } from './process.ts'

export function findRedisServer(): string | undefined {
  return findOnPath('redis-server')
}

/** A database of the bench's own, one for each measurement. */
export interface StartedDatabase {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

/** With an append-only file, synced once a second: a ledger that forgets is none. */
export async function startRedis(port: number): Promise<StartedDatabase> {
  const program = findRedisServer()
  if (program === undefined) throw new Error('no redis-server on the PATH')
  mkdirSync(workFolder, { recursive: true })
  const folder = mkdtempSync(join(fileURLToPath(workFolder), 'redis-'))
  const settings = { bind: '127.0.0.1', port, dir: folder, save: '', appendonly: 'yes', appendfsync: 'everysec' }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn(program, args, { stdio: 'ignore' })
  watchOver(child)

  async function stop(): Promise<void> {
    await stopChild(child)
    rmSync(folder, { recursive: true, force: true })
  }

  const deadlineAt = performance.now() + 10_000
  while (!(await isListening(port))) {
    if (child.exitCode !== null || performance.now() > deadlineAt) {
      await stop()
      throw new Error('redis-server did not start')
    }
    await wait(10)
  }
  return { url: `redis://127.0.0.1:${port}`, pid: child.pid ?? 0, stop }
}

function isListening(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, '127.0.0.1', () => {
    socket.destroy()
    resolve(true)
  }).on('error', () => resolve(false))
  return promise
}
