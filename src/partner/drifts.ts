/**
 * The answers of FreedomPay with undocumented words, for each create. A partner that has changed its words says the new ones in every
 * answer, so one create's drift is counted and told once in a process: by the create itself, or by a later question about it.
 */

interface Log {
  warn(fields: Record<string, unknown>, message: string): void
}

/** Of one create, while it is sent or asked about. */
export interface Drifts {
  /** The drift of this create has been told before. */
  readonly isTold: boolean
  count: number
  first: Record<string, unknown> | undefined
}

export interface DriftBook {
  open(requestId: string): Drifts
  /** One line for all answers that have drifted. */
  close(requestId: string, drifts: Drifts, log: Log): void
}

export const failureMessage = 'partner call failed'
/** Of an older create the drift would be told once more. */
const mostRemembered = 10_000

export function createDriftBook(): DriftBook {
  /** The creates whose drift has been told, oldest first. */
  const told = new Set<string>()
  return {
    open: (requestId) => ({ isTold: told.has(requestId), count: 0, first: undefined }),
    close(requestId, { isTold, count, first }, log) {
      if (isTold || count === 0) return
      told.add(requestId)
      const [oldest] = told
      if (told.size > mostRemembered && oldest !== undefined) told.delete(oldest)
      log.warn({ ...first, drifts: count }, failureMessage)
    },
  }
}
