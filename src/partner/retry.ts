/** When the same call may be made again, and after which pause. Only what the partner provably did not take is repeated. */
import type { Outcome } from './outcome.ts'

const maxRetries = 2
const firstPauseMs = 100
const shortestThrottlePauseMs = 250
const defaultThrottlePauseMs = 1000

/** Of these the partner provably has nothing, and a repetition may help. */
export function isRepeatable({ kind }: Outcome): boolean {
  return kind === 'not-sent' || kind === 'throttled' || kind === 'misconfigured'
}

/**
 * The pause before the next try in milliseconds, or undefined where there must be none. `tries` counts those already made.
 * Exponential with full jitter for what was not sent; what the partner asked for where it throttles.
 */
export function pauseBeforeRetry(outcome: Outcome, tries: number, random = Math.random): number | undefined {
  if (tries > maxRetries) return undefined
  switch (outcome.kind) {
    case 'not-sent':
      return random() * firstPauseMs * 2 ** tries
    case 'throttled':
      return Math.max(shortestThrottlePauseMs, parseRetryAfter(outcome.retryAfter) ?? defaultThrottlePauseMs)
    case 'misconfigured':
      // Once, with the credential read again.
      return tries === 1 ? 0 : undefined
    default:
      return undefined
  }
}

/** A partner that asks for more is asked again all the same. */
const longestRetryAfterMs = 5 * 60_000

/** `Retry-After` (RFC 9110, section 10.2.3), delta seconds or a date, in milliseconds from `now`, at most 5 minutes. */
export function parseRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, longestRetryAfterMs)
  // JavaScript would read a date into nearly anything that holds a digit.
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? /.test(value)) return undefined
  // The oldest of the three forms does not say that it is GMT.
  const at = Date.parse(value.endsWith(' GMT') ? value : `${value} GMT`)
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - now), longestRetryAfterMs)
}
