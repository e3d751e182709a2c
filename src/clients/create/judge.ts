/**
 * The one judge of FreedomPay's answers about a request. Two askers use the judge: a create that waits, and the reconciler. Pure.
 */
import type { Outcome, PartnerReason } from '../../partner/outcome.ts'

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

/**
 * Updates the knowledge with the answer to a question. FreedomPay answered between `askedAt` and `heardAt`, so an answer stands from
 * `heardAt` on, and until the `askedAt` of the next one. Pure.
 */
export function judge(
  before: Knowledge,
  outcome: Outcome,
  askedAt: number,
  { absentMs, doubtMs }: JudgeSettings,
  heardAt = askedAt,
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
      const doubtedSince = before.doubtedSince ?? heardAt
      const knowledge = { ...before, doubts, doubtedSince }
      const isBelieved = doubts >= fewestDoubts && askedAt - doubtedSince >= doubtMs
      return isBelieved ? { knowledge, conclusion: { status: 'rejected', partner, isInferred: true } } : { knowledge }
    }
    case 'no-such-request': {
      if (before.known !== 'unknown' || before.isAcknowledged) return { knowledge: heard }
      const knowledge = { ...heard, absentSince: before.absentSince ?? heardAt }
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
  if (known !== 'unknown' || isAcknowledged || absentSince === undefined) return false
  return settleMs === 0 || at - absentSince >= settleMs
}
