/** Whether the same call may be repeated, and after which pause. A call is repeated only if FreedomPay provably did not take it. */
import type { Outcome } from './outcome.ts'

const maxRetries = 2
const firstPauseMs = 100
const shortestThrottlePauseMs = 250
const defaultThrottlePauseMs = 1000

/** FreedomPay provably has nothing of such a call, and a repetition may succeed. */
export function isRepeatable({ kind }: Outcome): boolean {
  return kind === 'not-sent' || kind === 'throttled' || kind === 'misconfigured'
}

/** What was tried so far: all tries, and those among them that FreedomPay refused for the credential. */
export interface Tries {
  readonly all: number
  readonly refusals: number
}

/**
 * The pause before the next try in milliseconds; undefined: no further try. The pause grows exponentially, with full jitter, after
 * a call that was not sent; after a 429 it is FreedomPay's own `Retry-After`.
 */
export function pauseBeforeRetry(outcome: Outcome, tries: Tries, random = Math.random): number | undefined {
  // One more try, with the credential read again, however many tries failed for another reason.
  if (outcome.kind === 'misconfigured') return tries.refusals === 1 ? 0 : undefined
  if (tries.all - tries.refusals > maxRetries) return undefined
  switch (outcome.kind) {
    case 'not-sent':
      return random() * firstPauseMs * 2 ** tries.all
    case 'throttled':
      return Math.max(shortestThrottlePauseMs, parseRetryAfter(outcome.retryAfter) ?? defaultThrottlePauseMs)
    default:
      return undefined
  }
}

/** A longer `Retry-After` is cut to this. */
const longestRetryAfterMs = 5 * 60_000

/** `Retry-After` (RFC 9110, section 10.2.3), delta seconds or a date, in milliseconds from `now`, at most 5 minutes. */
export function parseRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, longestRetryAfterMs)
  // Date.parse accepts nearly every text that holds a digit.
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? /.test(value)) return undefined
  // The asctime form, the oldest of the three, is GMT without saying so.
  const at = Date.parse(value.endsWith(' GMT') ? value : `${value} GMT`)
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - now), longestRetryAfterMs)
}
