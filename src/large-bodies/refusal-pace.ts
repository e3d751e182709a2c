/**
 * Delays the refusals of large bodies that are not JSON, or far more JSON than a client takes. A refusal costs a millisecond, so
 * callers that send such bodies without a pause would have 200 MB read each second, and collecting the garbage of that reading
 * would stop all other requests five times a second.
 */

/** For the refused bodies of all callers together: 3 MiB take 0.2 s. */
const bytesPerMs = 16 * 1024
export const longestHoldMs = 2000

/** Calls `answer` at once if the bodies refused before have had their time, otherwise when they have. */
export type RefusalPace = (bytes: number, answer: () => void) => void

export function createRefusalPace(
  now: () => number = () => performance.now(),
  later: (answer: () => void, holdMs: number) => unknown = setTimeout,
): RefusalPace {
  let freeAt = 0

  return (bytes, answer) => {
    const holdMs = Math.max(0, freeAt - now())
    freeAt = Math.min(now() + holdMs + bytes / bytesPerMs, now() + longestHoldMs)
    if (holdMs === 0) answer()
    else later(answer, holdMs)
  }
}
