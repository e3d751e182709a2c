/** What a caller is told: always made from the ledger's row, so that a replay says the same as the first answer. */
import type { Row } from '../ledger/ledger.ts'
import { parseRetryAfter } from '../partner/retry.ts'
import { Problem, retryAfter, safeToRetryWith } from '../problems/problem.ts'
import type { ClientRequest } from './body/schema.ts'
import type { NotTaken } from './create/deliver.ts'

/** new: sent by this request. joined: it waited for one that was under way. replayed: it was answered from the ledger. */
export type IdempotencyStatus = 'new' | 'joined' | 'replayed'

/** How the work on one create ended. */
export interface Settlement {
  readonly row: Pick<
    Row,
    'requestId' | 'keyId' | 'state' | 'clientId' | 'partnerCode' | 'partnerDescription' | 'updatedAtMs'
  >
  readonly how: IdempotencyStatus
  /** Why FreedomPay certainly does not have it from this send, where that is so. */
  readonly notTaken?: NotTaken | undefined
  /** No earlier request with this key was sent. */
  readonly isFirstClaim?: boolean
  /** FreedomPay's description, masked: told once, and kept only if there was nothing to mask. */
  readonly partnerDescription?: string | undefined
}

/** What a create is answered with where it is no problem. */
export interface CreateAnswer {
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

/** @throws Problem where no client was created; with a key it carries `Idempotency-Status` */
export function toAnswer(settlement: Settlement): CreateAnswer {
  const { row, notTaken, partnerDescription } = settlement
  const { requestId, state, clientId, partnerCode } = row
  const idempotencyStatus = row.keyId === undefined ? undefined : settlement.how
  const headers: Record<string, string> = idempotencyStatus ? { 'idempotency-status': idempotencyStatus } : {}
  const updatedAt = new Date(row.updatedAtMs).toISOString()
  switch (state) {
    case 'created':
      return { idempotencyStatus, representation: { requestId, status: 'created', clientId, updatedAt } }
    case 'processing':
      return { idempotencyStatus, representation: { requestId, status: 'processing', updatedAt } }
    case 'rejected':
      throw new Problem('partner-rejected', {
        requestId,
        partner: { code: partnerCode, description: partnerDescription ?? row.partnerDescription },
        headers,
      })
    case 'sent':
      // Not taken from us, but another replica holds the claim by now.
      if (notTaken !== undefined) throw inProgress(requestId)
      break
    case 'unknown':
    case 'not-created':
      if (notTaken !== undefined) throw toProblem(settlement, notTaken, headers)
  }
  // Also where FreedomPay seems never to have had it: a caller that waited for a client is not told that there is none.
  return { idempotencyStatus, representation: { requestId, status: 'unknown', updatedAt } }
}

function toProblem({ row, isFirstClaim }: Settlement, notTaken: NotTaken, ownHeaders: Record<string, string>): Problem {
  const { requestId, keyId } = row
  const safeToRetry = isFirstClaim ? 'yes' : safeToRetryWith(keyId)
  const headers = { ...ownHeaders, ...retryAfter(unavailableSeconds) }
  switch (notTaken.kind) {
    case 'misconfigured':
      return new Problem('partner-misconfigured', { requestId, safeToRetry, headers: ownHeaders })
    case 'throttled': {
      const seconds = (parseRetryAfter(notTaken.retryAfter) ?? unavailableSeconds * 1000) / 1000
      const detail = 'FreedomPay takes no more requests at the moment, so it did not take this one.'
      const later = { ...ownHeaders, ...retryAfter(seconds) }
      return new Problem('partner-unavailable', { requestId, detail, safeToRetry, headers: later })
    }
    case 'not-admitted': {
      const detail = 'FreedomPay could not be reached several times in a row, so this request was not sent.'
      return new Problem('partner-unavailable', { requestId, detail, safeToRetry, headers })
    }
    case 'not-sent':
      // The cause is in the log already, once for each try.
      return new Problem('partner-unavailable', { requestId, safeToRetry, headers })
  }
}

/** The service may not send this request again, and FreedomPay does not seem to know it. */
export function notSentAgain(requestId: string): Problem {
  return new Problem('partner-unavailable', {
    requestId,
    detail:
      'FreedomPay does not know this request, and this service must not send it a second time (PARTNER_RESEND=false). Read the request; a person decides whether to use a new key.',
    safeToRetry: 'same-key-only',
    headers: retryAfter(unavailableSeconds),
  })
}

/** Another replica works on this key at the moment. */
export function inProgress(requestId: string): Problem {
  return new Problem('request-in-progress', { requestId, headers: retryAfter(inProgressSeconds) })
}

/** The same representation for `GET /clients/requests/{requestId}`. */
export function toClientRequest(row: Row): ClientRequest {
  const { requestId, state, clientId, partnerCode, partnerDescription } = row
  const updatedAt = new Date(row.updatedAtMs).toISOString()
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
      // To a caller, a create that is being sent just now may or may not have arrived.
      return { requestId, status: 'unknown', updatedAt }
  }
}
