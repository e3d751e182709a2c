/** One replica of the service: the real program in a process of its own, which is killed and started again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { type Child, type ChildReport, startChild } from './child.ts'

const thisVersion = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** Whatever is the matter with the ledger, the answer is there before. */
const longestReadyMs = 10_000

export interface Replica {
  /** Where it listens; while it is dead, where it did. */
  url(): string
  /** Resolves while it lives, or once it does again. */
  whenUp(): Promise<void>
  isReady(): Promise<boolean>
  /** `ledger_unresolved`, as its /metrics has it. */
  unresolved(): Promise<number>
  /** SIGKILL, and a new process in its place. */
  killAndRestart(): Promise<void>
  /** SIGTERM, as in a rolling update, and a new process in its place: of this version, whichever the old one was of. */
  stopAndRestart(): Promise<void>
  /** SIGSTOP at once; it goes on after `ms`. */
  standStill(ms: number): Promise<void>
  stop(): Promise<void>
}

export async function startReplica(
  name: string,
  settings: Record<string, string>,
  report: ChildReport,
  firstProgram = thisVersion,
): Promise<Replica> {
  let { child, url, opsUrl } = await start(firstProgram)
  let up = Promise.resolve()

  /** The answer says nothing of a fault; the log does. */
  function readLine(line: string): void {
    const requestId = /"requestId":"([\da-f-]{36})"/.exec(line)?.[1]
    if (requestId !== undefined) {
      const story = report.stories.get(requestId) ?? []
      report.stories.set(requestId, story)
      story.push(`${name} ${line}`)
    }
    if (/"level":"fatal"|"code":"internal"/.test(line)) report.accidents.push(`${name} wrote to its log: ${line}`)
  }

  async function start(program = thisVersion): Promise<{ child: Child; url: string; opsUrl: string }> {
    // Ports are the system's choice: a fixed one might be taken, here or after the restart.
    const env = { LOG_LEVEL: 'trace', ...settings, PORT: '0', OPS_PORT: '0' }
    const started = startChild({ name, command: process.execPath, args: [program], env, report, onLine: readLine })
    const urls = await started.firstLine((line) => {
      if (!line.includes('"msg":"ready"')) return undefined
      return JSON.parse(line) as { url: string; opsUrl: string }
    })
    return { child: started, ...urls }
  }

  async function restart(end: (old: Child) => Promise<unknown>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    up = promise
    await end(child)
    ;({ child, url, opsUrl } = await start())
    resolve()
  }

  return {
    url: () => url,
    whenUp: () => up,
    async isReady() {
      const { statusCode, body } = await request(`${opsUrl}/readyz`, { reset: true, headersTimeout: longestReadyMs })
      await body.dump()
      return statusCode === 200
    },
    async unresolved() {
      const { body } = await request(`${opsUrl}/metrics`, { reset: true })
      return Number(/^ledger_unresolved (\d+)$/m.exec(await body.text())?.[1])
    },
    killAndRestart: () => restart((old) => old.kill()),
    stopAndRestart: () => restart((old) => old.stop()),
    async standStill(ms) {
      child.signal('SIGSTOP')
      await sleep(ms)
      child.signal('SIGCONT')
    },
    async stop() {
      await child.stop()
    },
  }
}
