/**
 * Delays the refusals of a caller that is refused very often. A refusal costs this service about as much processor time as a create,
 * so a caller with many connections that asks again at once after each refusal would leave no time for the creates of others.
 */

/** More refusals in a second are a flood: a caller that waits as `Retry-After` says gets fewer. */
const atOncePerSecond = 50
const shortestHoldMs = 1000
/** Up to this much longer, so that refusals of one moment do not end, and come again, in one moment. */
const moreHoldMs = 1000
/** Each one that is held takes some kilobytes of memory. Above this number refusals are answered at once. */
const mostHeld = 10_000

export interface RefusalPace {
  /** Calls `answer` at once, or later if the caller is refused too often. */
  pace(caller: string, answer: () => void): void
  /** Answers those that have been held long enough. */
  answerDue(): void
  /** Answers all that are held. */
  answerAll(): void
  readonly isHolding: boolean
}

export function createRefusalPace(now: () => number = () => performance.now(), random = Math.random): RefusalPace {
  let held: { readonly dueAt: number; readonly answer: () => void }[] = []
  /** Refusals of each caller in the second that ends at `secondEndsAt`. */
  const refusals = new Map<string, number>()
  let secondEndsAt = 0

  function countRefusal(caller: string): number {
    if (now() >= secondEndsAt) {
      refusals.clear()
      secondEndsAt = now() + 1000
    }
    const count = (refusals.get(caller) ?? 0) + 1
    refusals.set(caller, count)
    return count
  }

  function answerUntil(moment: number): void {
    const due = held.filter(({ dueAt }) => dueAt <= moment)
    held = held.filter(({ dueAt }) => dueAt > moment)
    for (const { answer } of due) answer()
  }

  return {
    pace(caller, answer) {
      if (countRefusal(caller) <= atOncePerSecond || held.length >= mostHeld) answer()
      else held.push({ dueAt: now() + shortestHoldMs + moreHoldMs * random(), answer })
    },
    answerDue: () => answerUntil(now()),
    answerAll: () => answerUntil(Number.POSITIVE_INFINITY),
    get isHolding() {
      return held.length > 0
    },
  }
}
