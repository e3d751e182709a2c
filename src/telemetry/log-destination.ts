/** Standard output, written in the background, where nobody may be reading. */
import { fstatSync } from 'node:fs'
import { isatty } from 'node:tty'
import { type DestinationStream, type Logger, pino } from 'pino'
import { Counter, type Registry } from 'prom-client'

/** A line is written within this, or with others as soon as they are this many bytes: a system call for each costs more than it. */
const flushEveryMs = 100
const bufferedBytes = 12 * 1024
/** What is held for a reader that does not read; further lines are dropped and counted. */
const maxHeldBytes = 8 * 1024 * 1024
const stdout = 1

/** How long the process waits for a reader of its last lines. */
const settleMs = 1000

const dropped = new WeakMap<DestinationStream, number>()

/** What is still held is written when the process exits by itself. */
export function openStdout(): DestinationStream {
  const stat = fstatSync(stdout)
  // Makes a pipe non-blocking: a write to a full one would otherwise never return, and neither would the exit.
  if (stat.isFIFO() || stat.isSocket()) void process.stdout
  let exitingAtMs: number | undefined
  process.once('exit', () => {
    exitingAtMs = performance.now()
  })
  const destination = pino.destination({
    dest: stdout,
    sync: false,
    minLength: bufferedBytes,
    periodicFlush: flushEveryMs,
    maxLength: maxHeldBytes,
    retryEAGAIN: () => exitingAtMs === undefined || performance.now() - exitingAtMs < settleMs,
  })
  dropped.set(destination, 0)
  destination.on('drop', () => dropped.set(destination, (dropped.get(destination) ?? 0) + 1))
  return destination
}

/** Lines for people, where they look at a terminal and this was installed for development; undefined elsewhere. */
export async function openTerminal(): Promise<DestinationStream | undefined> {
  if (!isatty(stdout)) return undefined
  try {
    const { default: pretty } = await import('pino-pretty')
    return pretty({ sync: true, ignore: 'service,version' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/**
 * Resolves once nothing is being written in the background: what is at exit may come behind the lines that are written then, or
 * never. Where nobody reads, the lines are given up.
 */
export function settleWrites(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      const destination = destinations.get(log)
      if (destination !== undefined && 'destroy' in destination && typeof destination.destroy === 'function') {
        destination.destroy()
      }
      resolve()
    }, settleMs)
    log.flush(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

export function registerDroppedLines(registry: Registry, log: Logger): void {
  let known = 0
  new Counter({
    name: 'log_lines_dropped_total',
    help: 'Log lines that were given up because nobody read standard output',
    registers: [registry],
    collect() {
      const count = countDroppedLines(log)
      this.inc(count - known)
      known = count
    },
  })
}

export function countDroppedLines(log: Logger): number {
  const destination = destinations.get(log)
  return (destination && dropped.get(destination)) ?? 0
}

const destinations = new WeakMap<Logger, DestinationStream>()

export function rememberDestination(log: Logger, destination: DestinationStream): void {
  destinations.set(log, destination)
}
