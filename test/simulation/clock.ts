/** Virtual time: a queue of moments, and processes that moments belong to. A process can die, stand still, and be wrong about the date. */
import { createRandom, type Random } from './random.ts'

/** Milliseconds since the epoch at which every world begins: 2026-01-01. */
export const epochMs = Date.UTC(2026, 0, 1)

export interface Process {
  readonly name: string
  readonly clock: Clock
  /** Its Math.random and its UUIDs. */
  random: Random
  isDead: boolean
  frozenUntil: number
  /** Whether, after it stood still, it sees what has arrived before it sees which timers are over. */
  isInputFirst: boolean
  /** How far its wall clock is from the right time. */
  wallOffsetMs: number
  /** How far all its clocks are from the world's; for a ledger that reads its journal again. */
  shiftMs: number
  /** Timers that it has set and that are still to come. */
  timers: number
  /** How to enter it, once it was entered. */
  enter: (<T>(work: () => T) => T) | undefined
}

export function createProcess(clock: Clock, name: string, seed: number): Process {
  const random = createRandom(seed, name)
  return {
    name,
    clock,
    random,
    isDead: false,
    frozenUntil: 0,
    isInputFirst: false,
    wallOffsetMs: 0,
    shiftMs: 0,
    timers: 0,
    enter: undefined,
  }
}

/** One moment to come. */
export class Moment {
  at: number
  readonly order: number
  readonly owner: Process | undefined
  run: (() => void) | undefined
  isTimer = false

  constructor(at: number, order: number, owner: Process | undefined, run: () => void) {
    this.at = at
    this.order = order
    this.owner = owner
    this.run = run
  }
}

export class Clock {
  now = 0
  private order = 0
  private readonly heap: Moment[] = []

  /** Runs `run` after `delayMs` as a part of `owner`: later where the owner stands still, never where it has died. */
  after(delayMs: number, owner: Process | undefined, run: () => void): Moment {
    const moment = new Moment(this.now + Math.max(0, delayMs), this.order++, owner, run)
    this.push(moment)
    return moment
  }

  /** The next moment that has something to run, the time set to it; undefined where nothing is to come until `limit`. */
  take(limit: number): Moment | undefined {
    for (;;) {
      const next = this.heap[0]
      if (next === undefined || next.at > limit) return undefined
      this.pop()
      const { owner } = next
      if (next.run === undefined || owner?.isDead) continue
      if (owner !== undefined && owner.frozenUntil > next.at) {
        this.push(afterFreeze(next, owner))
        continue
      }
      this.now = next.at
      return next
    }
  }

  private push(moment: Moment): void {
    const { heap } = this
    let index = heap.push(moment) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(moment, heap[parent] as Moment)) break
      heap[index] = heap[parent] as Moment
      index = parent
    }
    heap[index] = moment
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Moment, heap[child] as Moment)) child++
      if (!isBefore(heap[child] as Moment, last)) break
      heap[index] = heap[child] as Moment
      index = child
    }
    heap[index] = last
  }
}

/**
 * What fell into the time in which the process stood still comes at once, in its order: usually the timers first, as an event
 * loop begins with them; but where the process stood still just after it had asked for input, the input.
 */
function afterFreeze(moment: Moment, { frozenUntil, isInputFirst }: Process): Moment {
  const isSecond = moment.isTimer === isInputFirst
  moment.at = frozenUntil + (isSecond ? 0.01 : 0) + moment.at * 1e-10
  return moment
}

function isBefore(a: Moment, b: Moment): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
