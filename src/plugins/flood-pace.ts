/**
 * Delays answers to a caller that asks very often while another caller is active. An answer without FreedomPay, such as a refusal,
 * comes so soon that a caller with many connections would leave no processor time for the creates of others.
 */
import { createActivity } from '../partner/fair-share.ts'

/** More answers than this are a flood. */
const perSecond = 500
/** So many may come in one moment. */
const burst = 50
export const longestHoldMs = 2000
const msEach = 1000 / perSecond
const shortestHoldMs = 1000
/** Each answer that is held takes some kilobytes of memory. Above this number all answers leave at once. */
const mostHeld = 10_000
/** Above this number the paces of all callers begin anew. */
const mostCallers = 10_000

export interface FloodPace {
  /** A request of the caller has arrived, or was answered. An empty name, of a request without a good credential, is no caller. */
  note(caller: string): void
  /** Calls `answer` at once, or later if the caller asks too often. */
  pace(caller: string, answer: () => void): void
  /** Answers those that have been held long enough. */
  answerDue(): void
  /** Answers all that are held. */
  answerAll(): void
  readonly isHolding: boolean
}

export function createFloodPace(now: () => number = () => performance.now(), random = Math.random): FloodPace {
  const activity = createActivity()
  let held: { readonly dueAt: number; readonly answer: () => void }[] = []
  /** When the answers of each caller so far would have ended, at `perSecond`. */
  const endsAt = new Map<string, number>()

  function isTooOften(caller: string): boolean {
    const from = Math.max(now(), endsAt.get(caller) ?? 0)
    if (from - now() >= burst * msEach) return true
    if (endsAt.size >= mostCallers) endsAt.clear()
    endsAt.set(caller, from + msEach)
    return false
  }

  /** Not always the same, so that answers of one moment do not end, and come again, in one moment. */
  function drawHoldMs(): number {
    return shortestHoldMs + (longestHoldMs - shortestHoldMs) * random()
  }

  function answerUntil(moment: number): void {
    const due = held.filter(({ dueAt }) => dueAt <= moment)
    held = held.filter(({ dueAt }) => dueAt > moment)
    for (const { answer } of due) answer()
  }

  return {
    note(caller) {
      if (caller !== '') activity.note(caller, now())
    },
    pace(caller, answer) {
      if (activity.isAlone(caller, now()) || held.length >= mostHeld || !isTooOften(caller)) answer()
      else held.push({ dueAt: now() + drawHoldMs(), answer })
    },
    answerDue: () => answerUntil(now()),
    answerAll: () => answerUntil(Number.POSITIVE_INFINITY),
    get isHolding() {
      return held.length > 0
    },
  }
}
