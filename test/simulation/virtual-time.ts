/**
 * Makes the real sources live in virtual time. Every clock, timer and source of chance of Node's asks which process of a world
 * it is called in; outside of any world it stays what it is. So the test runner beside it, and worlds beside each other, do not mix.
 *
 * Why not a library of fake timers: a timer here belongs to a process, dies with it and waits while the process stands still.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import timersPromises from 'node:timers/promises'
import { epochMs, type Moment, type Process } from './clock.ts'

const current = new AsyncLocalStorage<Process | undefined>()

/** Runs `work` as a part of the process: whatever it awaits goes on as a part of it. */
export function runIn<T>(process: Process, work: () => T): T {
  // To enter a process again costs a third of entering it anew.
  process.enter ??= current.run(process, () => AsyncLocalStorage.snapshot())
  return process.enter(work)
}

export function currentProcess(): Process | undefined {
  return current.getStore()
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  clearImmediate: globalThis.clearImmediate,
  dateNow: Date.now,
  timeOrigin: performance.timeOrigin,
  performanceNow: performance.now.bind(performance),
  random: Math.random,
  randomUUID: crypto.randomUUID,
  sleep: timersPromises.setTimeout,
  turn: timersPromises.setImmediate,
  abortTimeout: AbortSignal.timeout,
}

/** What waits until everything that can go on without time passing has gone on. Worlds that live side by side wait together. */
let waiting: (() => void)[] = []
const resolved = Promise.resolve()

/**
 * Runs `next` when everything that can go on without time passing has gone on: a tick runs once no promise is waiting. A turn of
 * the event loop, which would say the same, costs far more.
 */
export function whenSettled(next: () => void): void {
  if (waiting.push(next) === 1) process.nextTick(wakeWaiting)
}

/** Not in the tick itself: a tick that comes from a tick does not let the promises go on first. */
function wakeWaiting(): void {
  void resolved.then(runWaiting)
}

function runWaiting(): void {
  const due = waiting
  waiting = []
  for (const next of due) next()
}

/** Lets the real event loop turn, so that the collector can let go of what has ended. */
export function turnForReal(): Promise<void> {
  return new Promise((resolve) => real.setImmediate(resolve))
}

/** Real milliseconds, for what measures the simulation itself. */
export const realNow = real.performanceNow

const longestTimeoutMs = 2 ** 31 - 1

/** What setTimeout gives. */
class VirtualTimer {
  private moment: Moment | undefined
  private readonly owner: Process
  private readonly callback: () => void
  private readonly delayMs: number
  private readonly repeats: boolean

  constructor(owner: Process, callback: () => void, delayMs: number, repeats: boolean) {
    this.owner = owner
    this.callback = callback
    this.delayMs = delayMs
    this.repeats = repeats
    this.start()
  }

  private start(): void {
    this.owner.timers++
    this.moment = this.owner.clock.after(this.delayMs, this.owner, () => this.fire())
    this.moment.isTimer = true
  }

  private fire(): void {
    this.owner.timers--
    this.moment = undefined
    if (this.repeats) this.start()
    this.callback()
  }

  close(): this {
    if (this.moment?.run === undefined) return this
    this.moment.run = undefined
    this.moment = undefined
    this.owner.timers--
    return this
  }

  refresh(): this {
    this.close()
    this.start()
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** As Node does: whole milliseconds, one at least. */
function toDelay(value: unknown): number {
  const ms = Number(value)
  return ms >= 1 && ms <= longestTimeoutMs ? Math.trunc(ms) : 1
}

type Callback = (...args: unknown[]) => void

function virtualTimer(delayOf: (ms: unknown) => number, repeats: boolean, fallback: unknown) {
  return (callback: Callback, ms?: unknown, ...args: unknown[]) => {
    const owner = current.getStore()
    if (owner === undefined) return (fallback as Callback)(callback, ms, ...args)
    return new VirtualTimer(owner, args.length === 0 ? callback : () => callback(...args), delayOf(ms), repeats)
  }
}

/** An event loop reads the input that has arrived before it runs immediates; clock.ts lets that input come 0.01 ms after the timers. */
const immediateMs = 0.02

function virtualImmediate(callback: Callback, ...args: unknown[]) {
  const owner = current.getStore()
  if (owner === undefined) return real.setImmediate(callback, ...args)
  return new VirtualTimer(owner, () => callback(...args), immediateMs, false)
}

function clearer(fallback: (timer: never) => void) {
  return (timer: unknown) => {
    if (timer instanceof VirtualTimer) timer.close()
    else fallback(timer as never)
  }
}

interface SleepOptions {
  readonly signal?: AbortSignal | undefined
}

function sleepVirtually<T>(owner: Process, delayMs: number, value: T, { signal }: SleepOptions = {}): Promise<T> {
  if (signal?.aborted) return Promise.reject(abortError(signal))
  return new Promise((resolve, reject) => {
    const timer = new VirtualTimer(owner, wake, delayMs, false)
    const abort = () => {
      timer.close()
      reject(abortError(signal))
    }
    function wake() {
      signal?.removeEventListener('abort', abort)
      resolve(value)
    }
    signal?.addEventListener('abort', abort, { once: true })
  })
}

function abortError(signal: AbortSignal | undefined): Error {
  return Object.assign(new Error('The operation was aborted', { cause: signal?.reason }), { name: 'AbortError' })
}

/** The two digits of each byte. */
const hexOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

function toHex(word: number): string {
  return `${hexOf[word >>> 24]}${hexOf[(word >>> 16) & 255]}${hexOf[(word >>> 8) & 255]}${hexOf[word & 255]}`
}

function virtualUuid({ random }: Process): string {
  const [a, b, c, d] = [toHex(random.word()), toHex(random.word()), toHex(random.word()), toHex(random.word())]
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-a${c.slice(1, 4)}-${c.slice(4)}${d}`
}

function virtualAbortTimeout(ms: number): AbortSignal {
  const owner = current.getStore()
  if (owner === undefined) return real.abortTimeout.call(AbortSignal, ms)
  const controller = new AbortController()
  new VirtualTimer(owner, () => controller.abort(new DOMException('timed out', 'TimeoutError')), toDelay(ms), false)
  return controller.signal
}

const virtual = {
  setTimeout: virtualTimer(toDelay, false, real.setTimeout),
  clearTimeout: clearer(real.clearTimeout),
  setInterval: virtualTimer(toDelay, true, real.setInterval),
  clearInterval: clearer(real.clearInterval),
  setImmediate: virtualImmediate,
  clearImmediate: clearer(real.clearImmediate),
}

/** Everything that is replaced, until `uninstall` is called. */
export function installVirtualTime(): () => void {
  Object.assign(globalThis, virtual)
  Date.now = () => {
    const owner = current.getStore()
    return owner === undefined
      ? real.dateNow()
      : epochMs + Math.floor(owner.clock.now + owner.shiftMs) + owner.wallOffsetMs
  }
  performance.now = () => {
    const owner = current.getStore()
    return owner === undefined ? real.performanceNow() : owner.clock.now + owner.shiftMs
  }
  // Added to performance.now() it gives the time of day.
  Object.defineProperty(performance, 'timeOrigin', {
    configurable: true,
    get: () => (current.getStore() === undefined ? real.timeOrigin : epochMs),
  })
  Math.random = () => current.getStore()?.random.next() ?? real.random()
  AbortSignal.timeout = virtualAbortTimeout
  const uuid = (options?: crypto.RandomUUIDOptions) => {
    const owner = current.getStore()
    return owner === undefined ? real.randomUUID(options) : virtualUuid(owner)
  }
  const sleep = <T>(ms?: number, value?: T, options?: SleepOptions) => {
    const owner = current.getStore()
    return owner === undefined
      ? real.sleep(ms, value, options)
      : sleepVirtually(owner, toDelay(ms), value as T, options)
  }
  const turn = <T>(value?: T, options?: SleepOptions) => {
    const owner = current.getStore()
    return owner === undefined ? real.turn(value, options) : sleepVirtually(owner, immediateMs, value as T, options)
  }
  Object.assign(crypto, { randomUUID: uuid })
  Object.assign(timersPromises, { setTimeout: sleep, setImmediate: turn })
  syncBuiltinESMExports()
  return uninstallVirtualTime
}

function uninstallVirtualTime(): void {
  const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate } = real
  Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate })
  Date.now = real.dateNow
  Reflect.deleteProperty(performance, 'now')
  Reflect.deleteProperty(performance, 'timeOrigin')
  Math.random = real.random
  AbortSignal.timeout = real.abortTimeout
  Object.assign(crypto, { randomUUID: real.randomUUID })
  Object.assign(timersPromises, { setTimeout: real.sleep, setImmediate: real.turn })
  syncBuiltinESMExports()
}
