/** What is known of an earlier create, as the partner tells it now. */
import type { CallContext, CardApi } from '../partner/card-api.ts'
import { Problem } from '../problems.ts'
import type { ClientRequest } from './schema.ts'

export interface ReadRequestQuery {
  readonly requestId: string
  readonly log: CallContext['log']
}

/** @throws Problem not-found */
export type ReadRequest = (query: ReadRequestQuery) => Promise<ClientRequest>

export function buildReadRequest(cardApi: CardApi, deadlineMs: number): ReadRequest {
  return async ({ requestId, log }) => {
    const outcome = await cardApi.requestStatus(requestId, { deadlineAt: performance.now() + deadlineMs, log })
    const updatedAt = new Date().toISOString()
    switch (outcome.kind) {
      case 'created':
        return { requestId, status: 'created', clientId: outcome.clientId, updatedAt }
      case 'processing':
        return { requestId, status: 'processing', updatedAt }
      case 'rejected':
        // Without the body at hand the description cannot be freed of personal data.
        return { requestId, status: 'rejected', partner: { code: outcome.partner.code }, updatedAt }
      case 'no-such-request':
        throw new Problem('not-found')
      case 'duplicate':
      case 'not-sent':
      case 'misconfigured':
      case 'throttled':
      case 'unknown':
        return { requestId, status: 'unknown', updatedAt }
      default:
        return outcome satisfies never
    }
  }
}
