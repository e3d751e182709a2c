/** A process of the run's own: its output is searched for personal data line by line, and it ends when it is told to. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { canaries, phonePrefix } from './plan.ts'

export interface Child {
  readonly name: string
  readonly pid: number
  /** The first line of its output for which `find` gives something, from now on or before. */
  firstLine<T>(find: (line: string) => T | undefined): Promise<T>
  /** SIGSTOP and SIGCONT: it stands still, and goes on without knowing. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** SIGKILL: no chance to tidy up. */
  kill(): Promise<void>
  /** SIGTERM, and SIGKILL where that does not help. */
  stop(): Promise<void>
}

export interface ChildOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Record<string, string>
  readonly report: ChildReport
  /** Sees every line of its output. */
  readonly onLine?: (line: string) => void
}

/** Where children write down what must not happen. */
export interface ChildReport {
  readonly leaks: string[]
  readonly accidents: string[]
  /** The log lines of each create, by its request_id. */
  readonly stories: Map<string, string[]>
}

const stopWithinMs = 20_000

/** None outlives this process, however it ends. */
const running = new Set<ChildProcess>()
let isGuarded = false

function guard(child: ChildProcess): void {
  running.add(child)
  if (isGuarded) return
  isGuarded = true
  process.once('exit', () => {
    for (const left of running) left.kill('SIGKILL')
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGALRM'] as const) process.once(signal, () => process.exit(1))
}

const personalData = new RegExp([...canaries, `${phonePrefix}\\d{8}(?!\\d)`].join('|'))

export function holdsPersonalData(text: string): boolean {
  return personalData.test(text)
}

export function startChild({ name, command, args, env, report, onLine }: ChildOptions): Child {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  guard(child)
  let isExpectedToEnd = false
  const lastLines: string[] = []
  const waiting = new Set<(line: string) => void>()
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (holdsPersonalData(line)) report.leaks.push(`the output of ${name}`)
      onLine?.(line)
      lastLines.push(line)
      if (lastLines.length > 50) lastLines.shift()
      for (const look of waiting) look(line)
    })
  }
  const ended = once(child, 'exit').then(([code, signal]: (number | string | null)[]) => {
    running.delete(child)
    if (!isExpectedToEnd) {
      report.accidents.push(`${name} ended by itself (${code ?? signal}): ${lastLines.slice(-3).join(' | ')}`)
    }
    return code
  })

  return {
    name,
    pid: child.pid ?? 0,
    async firstLine(find) {
      const { promise, resolve, reject } = Promise.withResolvers<ReturnType<typeof find>>()
      const look = (line: string) => {
        const found = find(line)
        if (found !== undefined) resolve(found)
      }
      waiting.add(look)
      for (const line of lastLines) look(line)
      void ended.then(() => reject(new Error(`${name} ended before it was ready: ${lastLines.slice(-3).join(' | ')}`)))
      const found = await promise
      waiting.delete(look)
      return found as NonNullable<typeof found>
    },
    signal(name) {
      child.kill(name)
    },
    async kill() {
      isExpectedToEnd = true
      child.kill('SIGKILL')
      await ended
    },
    async stop() {
      isExpectedToEnd = true
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), stopWithinMs)
      const code = await ended
      clearTimeout(force)
      if (code !== 0) report.accidents.push(`${name} did not end with 0 on SIGTERM, but with ${code ?? 'SIGKILL'}`)
    },
  }
}
