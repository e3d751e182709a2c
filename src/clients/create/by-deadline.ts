/** The end of a create's wait for the ledger: the ledger's own limits do not know the deadline of the create. */
import { limitTime } from '../../ledger/time-limit.ts'

/**
 * An outcome that comes at the deadline is written before its caller hears the outcome, so the ledger gets this time more. Also after
 * the deadline: a process that stood still must not answer from memory what the ledger knows better.
 */
export const ledgerMarginMs = 500

/** Rejects if the ledger does not answer in time. The call itself goes on. `deadlineAt` is on the clock of `performance.now()`. */
export function byDeadline<T>(answer: Promise<T>, deadlineAt: number): Promise<T> {
  return limitTime(answer, timeLeft(deadlineAt) + ledgerMarginMs, () => undefined)
}

/** The same for a claim: after the deadline nothing is sent, so a claim gets no time more. */
export function beforeDeadline<T>(answer: Promise<T>, deadlineAt: number, leastMs = 0): Promise<T> {
  return limitTime(answer, Math.max(leastMs, timeLeft(deadlineAt)), () => undefined)
}

/** In whole milliseconds, at least 1: a claim of no duration would expire at once. */
export function timeLeft(deadlineAt: number): number {
  return Math.max(1, Math.round(deadlineAt - performance.now()))
}
