/** Asking about a create that nobody works on any more, for the reconciler. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Change, Row } from '../ledger/ledger.ts'
import type { CallContext, CardApi } from '../partner/card-api.ts'

export interface FindOutSettings {
  /** How long "no such request" must stand before it is believed. */
  readonly settleMs: number
  /** The longest one question may take. */
  readonly askMs: number
}

/** What was learnt about a row, or undefined. Never sends a create. */
export type FindOut = (row: Row, log: CallContext['log'], signal: AbortSignal) => Promise<Change | undefined>

export function buildFindOut(cardApi: CardApi, { settleMs, askMs }: FindOutSettings): FindOut {
  return async ({ requestId, state }, log, signal) => {
    const ask = () => cardApi.requestStatus(requestId, { deadlineAt: performance.now() + askMs, log })
    // A partner that has once said "process" or "success" cannot be lacking the request.
    const mayBeAbsent = state === 'sent' || state === 'unknown'

    let outcome = await ask()
    if (outcome.kind === 'no-such-request' && mayBeAbsent) {
      await sleep(settleMs, undefined, { signal })
      outcome = await ask()
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
        return mayBeAbsent ? { state: 'not-created' } : undefined
      case 'duplicate':
      case 'not-sent':
      case 'not-admitted':
      case 'misconfigured':
      case 'throttled':
      case 'unknown':
        return undefined
      default:
        return outcome satisfies never
    }
  }
}
