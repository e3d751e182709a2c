/** Questions about a request. FreedomPay offers no callback, so a question is the only way to learn an outcome. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallContext, CardApi } from '../../partner/card-api.ts'
import { parseRetryAfter } from '../../partner/retry.ts'
import { type Conclusion, isSettledAbsent, type JudgeSettings, judge, type Knowledge, type Known } from './judge.ts'

/** Asks one question and judges the answer. Every question about a create goes through this function. */
export async function askOnce(
  cardApi: CardApi,
  requestId: string,
  before: Knowledge,
  settings: JudgeSettings,
  context: CallContext,
) {
  const askedAt = performance.now()
  const outcome = await cardApi.requestStatus(requestId, context)
  return { askedAt, outcome, ...judge(before, outcome, askedAt, settings, performance.now()) }
}

export interface PollLimits {
  /** The end of the questions, by the knowledge so far. */
  readonly until: (known: Known) => number
  /** How long "no such request" must stand before another send; undefined: no other send is allowed. */
  readonly settleMs: number | undefined
  /**
   * Called once, when FreedomPay has acknowledged the create and the request begins to wait. False: too many requests wait already.
   */
  readonly startWaiting: (known: Exclude<Known, 'unknown'>) => boolean
}

export type Finding =
  | Conclusion
  /** The time is over; `knowledge` is the state at the end. */
  | { status: 'undecided'; knowledge: Knowledge }

/** absent: "no such request" has stood for the settling time, so another send is allowed. */
export type Polled = Finding | { status: 'absent' }

const firstPauseMs = 100
const pauseGrowth = 1.5
const longestPauseMs = 2000
/** The time that is kept for a question: with less, the deadline could cut the question before FreedomPay answers. */
const usualAskMs = 1000
/** From here on a question makes its caller wait. */
const slowAnswerMs = 500

/** Asks with growing pauses until there is a conclusion or the time is over. */
export async function pollStatus(
  cardApi: CardApi,
  requestId: string,
  start: Knowledge,
  limits: PollLimits,
  settings: JudgeSettings,
  context: CallContext,
): Promise<Polled> {
  let knowledge = start
  let pauseMs = firstPauseMs
  let leastPauseMs = 0
  // FreedomPay has just said "process", so an immediate question would learn nothing new.
  let isFirst = start.known !== 'processing'
  let isWaiting = false

  function startWaiting(known: Exclude<Known, 'unknown'>): boolean {
    if (isWaiting) return true
    isWaiting = true
    return limits.startWaiting(known)
  }

  for (;;) {
    if (knowledge.known !== 'unknown' && !isFirst && !startWaiting(knowledge.known)) {
      return { status: 'undecided', knowledge }
    }
    const leftMs = limits.until(knowledge.known) - performance.now()
    if (!isFirst) {
      const pause = Math.max(Math.min(pauseMs, untilSettledMs(knowledge, limits)), leastPauseMs)
      // The last pauses are shorter, so that the time is used up: half of what is left, in the end.
      const longest = leftMs - Math.min(usualAskMs, leftMs / 2)
      if (pause > longest && longest < Math.max(firstPauseMs, leastPauseMs)) return { status: 'undecided', knowledge }
      await sleep(Math.min(pause, longest))
      pauseMs = Math.min(pauseMs * pauseGrowth, longestPauseMs)
    } else if (leftMs <= 0) {
      return { status: 'undecided', knowledge }
    }
    // The first question mostly brings the id of a created client at once. Only a slow answer is worth two writes to the ledger.
    const waits =
      isFirst && knowledge.known === 'created' ? setTimeout(startWaiting, slowAnswerMs, 'created') : undefined
    isFirst = false

    const deadlineAt = Math.min(context.deadlineAt, limits.until(knowledge.known))
    const heard = await askOnce(cardApi, requestId, knowledge, settings, { ...context, deadlineAt })
    clearTimeout(waits)
    const { askedAt, outcome, conclusion } = heard
    leastPauseMs = outcome.kind === 'throttled' ? (parseRetryAfter(outcome.retryAfter) ?? 0) : 0
    if (conclusion !== undefined) return conclusion
    knowledge = heard.knowledge
    const isAbsentNow = outcome.kind === 'no-such-request'
    if (isAbsentNow && limits.settleMs !== undefined && isSettledAbsent(knowledge, askedAt, limits.settleMs)) {
      return { status: 'absent' }
    }
  }
}

/** Milliseconds until "no such request" has stood long enough. Afterwards Infinity: the usual pauses apply again. */
function untilSettledMs({ absentSince }: Knowledge, { settleMs }: PollLimits): number {
  if (absentSince === undefined || settleMs === undefined) return Infinity
  // Rounded up: a timer drops fractions and would fire too early.
  const leftMs = Math.ceil(absentSince + settleMs - performance.now())
  return leftMs > 0 ? leftMs : Infinity
}
