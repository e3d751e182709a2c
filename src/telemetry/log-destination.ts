/** Standard output, written in the background: a reader that does not read must not stop the service. */
import { fstatSync } from 'node:fs'
import { isatty } from 'node:tty'
import { type DestinationStream, type Logger, pino } from 'pino'
import { Counter, type Registry } from 'prom-client'

/** Lines are written together, after this time or at this size: a system call for each line costs more than the line itself. */
const flushEveryMs = 100
const bufferedBytes = 12 * 1024
/** The most that is held for a reader that does not read; further lines are dropped and counted. */
const maxHeldBytes = 8 * 1024 * 1024
const stdout = 1

/** How long the process waits at its end for a reader of the last lines. */
const settleMs = 1000

const dropped = new WeakMap<DestinationStream, number>()

/** Lines that are still held are written when the process exits by itself. */
export function openStdout(): DestinationStream {
  const stat = fstatSync(stdout)
  // Access to process.stdout makes a pipe non-blocking. Otherwise a write to a full pipe never returns, and the process never exits.
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
    contentMode: 'buffer',
    retryEAGAIN: () => exitingAtMs === undefined || performance.now() - exitingAtMs < settleMs,
  })
  // Held as bytes: of texts, SonicBoom joins and measures the last piece, up to 16 KiB, anew at each line.
  const { write }: { write(bytes: Buffer | string): boolean } = destination
  destination.write = (line) => write.call(destination, Buffer.from(line))
  // pino calls this after a fatal line. SonicBoom would then write beside its own write in the background, and cut lines in two.
  const { flushSync } = destination
  destination.flushSync = () => {
    if (exitingAtMs !== undefined) flushSync.call(destination)
  }
  dropped.set(destination, 0)
  destination.on('drop', () => dropped.set(destination, (dropped.get(destination) ?? 0) + 1))
  return destination
}

/** Lines for people at a terminal; undefined without a terminal, and without pino-pretty, a development dependency. */
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
 * Resolves when no line is being written in the background: at the exit such lines could get lost or come in the wrong order. If
 * the reader does not read, the lines are given up, and the process must exit at once.
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
    help: 'Log lines that were dropped because standard output was not read',
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
