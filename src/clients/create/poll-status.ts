/**
 * The one judge of FreedomPay's answers about a request. Two askers use the judge: a create that waits, and the reconciler.
 * FreedomPay offers no callback, so a question is the only way to learn an outcome.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallContext, CardApi } from '../../partner/card-api.ts'
import type { Outcome, PartnerReason } from '../../partner/outcome.ts'
import { parseRetryAfter } from '../../partner/retry.ts'

/** The knowledge about a request that may have reached FreedomPay. Knowledge only moves from left to right. */
export type Known = 'unknown' | 'processing' | 'created'

/** The sum of all answers about one request so far. Times are on the clock of `performance.now()`. */
export interface Knowledge {
  readonly known: Known
  /** FreedomPay has acknowledged the request, so "no such request" is not believed. */
  readonly isAcknowledged: boolean
  /** The last moment at which a send may have left. */
  readonly lastSendAt: number
  /** The time of the first "no such request". */
  readonly absentSince: number | undefined
  /** The number of doubtful errors in a row, and the time of the first. */
  readonly doubts: number
  readonly doubtedSince: number | undefined
}

export function knowNothing(lastSendAt: number): Knowledge {
  return {
    known: 'unknown',
    isAcknowledged: false,
    lastSendAt,
    absentSince: undefined,
    doubts: 0,
    doubtedSince: undefined,
  }
}

export type Conclusion =
  | { status: 'created'; clientId: string }
  /** isInferred: concluded from doubtful errors that have stood long enough. */
  | { status: 'rejected'; partner: PartnerReason; isInferred: boolean }
  /** "No such request" has stood long enough. */
  | { status: 'not-created' }

export interface JudgeSettings {
  /** How long "no such request" must stand, since the last moment at which a send may have left. */
  readonly absentMs: number
  /** How long a doubtful error must stand. */
  readonly doubtMs: number
}

const fewestDoubts = 3

/** Updates the knowledge with the answer to a question that was asked at `askedAt`. Pure. */
export function judge(
  before: Knowledge,
  outcome: Outcome,
  askedAt: number,
  { absentMs, doubtMs }: JudgeSettings,
): { knowledge: Knowledge; conclusion?: Conclusion } {
  const heard = { ...before, doubts: 0, doubtedSince: undefined }
  switch (outcome.kind) {
    case 'created': {
      const knowledge = { ...heard, known: 'created' as const, isAcknowledged: true }
      const { clientId } = outcome
      return clientId === undefined ? { knowledge } : { knowledge, conclusion: { status: 'created', clientId } }
    }
    case 'processing': {
      const known = before.known === 'created' ? before.known : 'processing'
      return { knowledge: { ...heard, known, isAcknowledged: true } }
    }
    case 'rejected': {
      // FreedomPay said "success" before, so this error contradicts that answer: the client may exist.
      if (before.known === 'created') return { knowledge: before }
      const { partner } = outcome
      if (!outcome.mayConcernQuestion) {
        return { knowledge: heard, conclusion: { status: 'rejected', partner, isInferred: false } }
      }
      const doubts = before.doubts + 1
      const doubtedSince = before.doubtedSince ?? askedAt
      const knowledge = { ...before, doubts, doubtedSince }
      const isBelieved = doubts >= fewestDoubts && askedAt - doubtedSince >= doubtMs
      return isBelieved ? { knowledge, conclusion: { status: 'rejected', partner, isInferred: true } } : { knowledge }
    }
    case 'no-such-request': {
      if (before.known !== 'unknown' || before.isAcknowledged) return { knowledge: heard }
      const knowledge = { ...heard, absentSince: before.absentSince ?? askedAt }
      // "No such request" must be heard twice: the first question may have overtaken the create.
      const isAbsent = before.absentSince !== undefined && askedAt - before.lastSendAt >= absentMs
      return isAbsent ? { knowledge, conclusion: { status: 'not-created' } } : { knowledge }
    }
    case 'duplicate':
      return { knowledge: { ...heard, isAcknowledged: true } }
    case 'unknown':
      // An answer with an undocumented word is still an answer, so it ends the row of doubtful errors.
      return { knowledge: outcome.result === 'drift' ? heard : before }
    case 'not-sent':
    case 'not-admitted':
    case 'misconfigured':
    case 'throttled':
      // These outcomes concern the question, not the create.
      return { knowledge: before }
    default:
      outcome satisfies never
      return { knowledge: before }
  }
}

/** "No such request" has stood for the settling time: the same request may be sent once more. */
export function isSettledAbsent(
  { known, isAcknowledged, absentSince }: Knowledge,
  at: number,
  settleMs: number,
): boolean {
  return known === 'unknown' && !isAcknowledged && absentSince !== undefined && at - absentSince >= settleMs
}

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
  return { askedAt, outcome, ...judge(before, outcome, askedAt, settings) }
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
/** The least time for a question: with less, the deadline would cut the question before FreedomPay answers. */
const shortestAskMs = 1000
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
      if (leftMs - pause < Math.min(shortestAskMs, leftMs / 2)) {
        return { status: 'undecided', knowledge }
      }
      await sleep(pause)
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
