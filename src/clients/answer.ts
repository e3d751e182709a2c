/** What a caller is told: always made from the ledger's row, so that a replay says the same as the first answer. */
import type { Row } from '../ledger/ledger.ts'
import { parseRetryAfter } from '../partner/retry.ts'
import { Problem, retryAfter } from '../problems/problem.ts'
import { toTimestamp } from '../telemetry/timestamps.ts'
import type { ClientRequest } from './body/schema.ts'
import type { NotTaken } from './create/deliver.ts'

/** new: sent by this request. joined: it waited for one that was under way. replayed: it was answered from the ledger. */
export type IdempotencyStatus = 'new' | 'joined' | 'replayed'

/** How the work on one create ended. */
export interface Settlement {
  readonly row: Pick<Row, 'requestId' | 'state' | 'clientId' | 'partnerCode' | 'partnerDescription' | 'updatedAtMs'>
  readonly how: IdempotencyStatus
  /** Why the partner certainly does not have it, where that is so. */
  readonly notTaken?: NotTaken | undefined
}

export interface CreateResult {
  /** Undefined without an idempotency key. */
  readonly idempotencyStatus: IdempotencyStatus | undefined
  readonly representation: {
    requestId: string
    status: 'created' | 'processing' | 'unknown'
    clientId?: string
    updatedAt: string
  }
}

/** How long until a caller should look again at a create that is not final, in seconds. */
export const lookAgainSeconds = 5
const unavailableSeconds = 2
const inProgressSeconds = 2

/**
 * `idempotencyStatus` is undefined without a key.
 * @throws Problem where no client was created; it carries `Idempotency-Status`, too
 */
export function toAnswer(
  { row, notTaken }: Settlement,
  idempotencyStatus: IdempotencyStatus | undefined,
): CreateResult {
  const { requestId, state, clientId, partnerCode, partnerDescription } = row
  const updatedAt = toTimestamp(row.updatedAtMs)
  switch (state) {
    case 'created':
      return { idempotencyStatus, representation: { requestId, status: 'created', clientId, updatedAt } }
    case 'processing':
      return { idempotencyStatus, representation: { requestId, status: 'processing', updatedAt } }
    case 'sent':
    case 'unknown':
      // Not taken from us, but somebody else holds the claim by now.
      if (notTaken !== undefined) {
        throw inProgress(requestId)
      }
      return { idempotencyStatus, representation: { requestId, status: 'unknown', updatedAt } }
    case 'rejected':
      throw new Problem('partner-rejected', {
        requestId,
        partner: { code: partnerCode, description: partnerDescription },
        headers: statusHeaders(idempotencyStatus),
      })
    case 'not-created':
      // Somebody else's conclusion. To us its fate was not known, so we cannot say that it is safe to send it again.
      if (notTaken === undefined)
        return { idempotencyStatus, representation: { requestId, status: 'unknown', updatedAt } }
      throw toProblem(requestId, notTaken, statusHeaders(idempotencyStatus))
  }
}

function toProblem(requestId: string, notTaken: NotTaken, ownHeaders: Record<string, string>): Problem {
  const headers = { ...ownHeaders, ...retryAfter(unavailableSeconds) }
  switch (notTaken.kind) {
    case 'misconfigured':
      return new Problem('partner-misconfigured', { requestId, headers: ownHeaders })
    case 'throttled': {
      const seconds = (parseRetryAfter(notTaken.retryAfter) ?? unavailableSeconds * 1000) / 1000
      const detail = 'FreedomPay takes no more requests at the moment, so it did not take this one.'
      return new Problem('partner-unavailable', {
        requestId,
        detail,
        headers: { ...ownHeaders, ...retryAfter(seconds) },
      })
    }
    case 'not-admitted': {
      const detail = 'FreedomPay could not be reached several times in a row, so this request was not sent.'
      return new Problem('partner-unavailable', { requestId, detail, headers })
    }
    case 'not-sent':
      // Why is in the log already, once for each try.
      return new Problem('partner-unavailable', { requestId, headers })
  }
}

/** This key is somebody else's work at the moment. */
export function inProgress(requestId: string): Problem {
  return new Problem('request-in-progress', { requestId, headers: retryAfter(inProgressSeconds) })
}

function statusHeaders(status: IdempotencyStatus | undefined): Record<string, string> {
  return status === undefined ? {} : { 'idempotency-status': status }
}

/** The same representation for `GET /clients/requests/{requestId}`. */
export function toClientRequest(row: Row): ClientRequest {
  const { requestId, state, clientId, partnerCode, partnerDescription } = row
  const updatedAt = toTimestamp(row.updatedAtMs)
  switch (state) {
    case 'created':
      return { requestId, status: state, clientId, updatedAt }
    case 'rejected':
      return { requestId, status: state, partner: { code: partnerCode, description: partnerDescription }, updatedAt }
    case 'processing':
    case 'unknown':
    case 'not-created':
      return { requestId, status: state, updatedAt }
    case 'sent':
      // To a caller, what is being sent just now is what may or may not have arrived.
      return { requestId, status: 'unknown', updatedAt }
  }
}
