/** Asking about a create that nobody works on any more, for the reconciler. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Change, Row } from '../../ledger/ledger.ts'
import type { CallContext, CardApi } from '../../partner/card-api.ts'
import type { Outcome } from '../../partner/outcome.ts'

export interface FindOutSettings {
  /** How long "no such request" must stand before it is believed. */
  readonly settleMs: number
  /** The longest one question may take. */
  readonly askMs: number
}

/** What was learnt about a row, or undefined. Never sends a create. */
export type FindOut = (row: Row, log: CallContext['log'], signal: AbortSignal) => Promise<Change | undefined>

/** What an unknown row has as its partner code where the partner said that it has had the request. */
export const duplicateMark = 'duplicate'

/** Whether "no such request" can be true: not of a partner that has once said that it has it. */
export function mayBeAbsent({ state, partnerCode }: Pick<Row, 'state' | 'partnerCode'>): boolean {
  return (state === 'sent' || state === 'unknown') && partnerCode !== duplicateMark
}

/** What is believed only if the partner still says so after the settling pause. */
function isDoubtful(outcome: Outcome, row: Row): boolean {
  if (outcome.kind === 'rejected') return outcome.mayConcernQuestion === true && row.state !== 'processing'
  return outcome.kind === 'no-such-request' && mayBeAbsent(row)
}

export function buildFindOut(cardApi: CardApi, { settleMs, askMs }: FindOutSettings): FindOut {
  return async (row, log, signal) => {
    const { requestId } = row
    const ask = () =>
      unlessAborted(signal, cardApi.requestStatus(requestId, { deadlineAt: performance.now() + askMs, log }))

    let outcome = await ask()
    if (isDoubtful(outcome, row)) {
      const word = outcome.kind
      await sleep(settleMs, undefined, { signal })
      outcome = await ask()
      if (isDoubtful(outcome, row) && outcome.kind !== word) return undefined
    }
    switch (outcome.kind) {
      case 'created':
        return { state: 'created', clientId: outcome.clientId }
      case 'processing':
        return { state: 'processing' }
      case 'rejected':
        // Without the body at hand the description cannot be freed of personal data.
        return { state: 'rejected', partnerCode: outcome.partner.code }
      case 'no-such-request':
        return mayBeAbsent(row) ? { state: 'not-created' } : undefined
      case 'duplicate':
      case 'not-sent':
      case 'not-admitted':
      case 'misconfigured':
      case 'throttled':
      case 'unknown':
        return undefined
      default:
        outcome satisfies never
        return undefined
    }
  }
}

/** An answer that nobody waits for any more must not hold up a process that stops. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
