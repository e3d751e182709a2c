/** When the reconciler asks about a row again. */
import type { Row } from './ledger.ts'
import { attentionAfterMs, inferredAsksAtMs } from './rules.ts'

/** The parts of a question's result that decide about the next question. */
export interface LessonTiming {
  /** True if FreedomPay's answer was about the request. */
  readonly isAnswered: boolean
  /** FreedomPay's `Retry-After`, or 0. */
  readonly throttledMs: number
  /** Milliseconds until the same answer again leads to a conclusion. */
  readonly concludesInMs: number
}

const firstPauseMs = 1000
const longestPauseMs = 5 * 60_000
const attentionPauseMs = 3_600_000

/** 1 s to 5 min, doubling. The jitter (50 to 100 %) spreads the questions about creates that failed at the same time. */
export function pauseAfter(asks: number, random = Math.random): number {
  const pauseMs = Math.min(firstPauseMs * 2 ** Math.max(0, asks - 1), longestPauseMs)
  return Math.round(pauseMs * (0.5 + random() / 2))
}

/** Milliseconds until the next question about an unchanged row; undefined: the last question has been asked. */
export function pauseFor(row: Row, { isAnswered, throttledMs, concludesInMs }: LessonTiming): number | undefined {
  if (row.isInferred) {
    if (!isAnswered) return Math.ceil(Math.max(inferredAsksAtMs[0], throttledMs))
    // Counts time, not questions: a crash between the lease and the question must not use up one of the few questions.
    const next = inferredAsksAtMs.find((atMs) => atMs > row.sinceUpdateMs)
    return next === undefined ? undefined : Math.ceil(next - row.sinceUpdateMs)
  }
  const usualMs = row.sinceLastSendMs >= attentionAfterMs ? attentionPauseMs : pauseAfter(row.asks)
  return Math.ceil(Math.max(Math.min(usualMs, concludesInMs), throttledMs))
}
