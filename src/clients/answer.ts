/** The answers to a caller. Every answer is made from the ledger's row, so that a replay equals the first answer. */
import type { Row } from '../ledger/ledger.ts'
import { parseRetryAfter } from '../partner/retry.ts'
import { type PartnerReason, Problem, retryAfter, safeToRetryWith } from '../problems/problem.ts'
import type { ClientRequest } from './body/schema.ts'
import type { NotTaken } from './create/deliver.ts'

/**
 * new: this request sent the create. joined: this request waited for a running create. replayed: the answer comes from the
 * ledger.
 */
export type IdempotencyStatus = 'new' | 'joined' | 'replayed'

/** The end of one create in this process. */
export interface Settlement {
  readonly row: Pick<
    Row,
    'requestId' | 'keyId' | 'state' | 'clientId' | 'partnerCode' | 'partnerDescription' | 'updatedAtMs'
  >
  readonly how: IdempotencyStatus
  /** The proof that FreedomPay did not take the request from this send; undefined without a proof. */
  readonly notTaken?: NotTaken | undefined
  /** True if no earlier request with this key was sent. */
  readonly isFirstClaim?: boolean
  /** FreedomPay's description, masked. The ledger keeps the description only if no word was masked. */
  readonly partnerDescription?: string | undefined
}

/** The answer to a create, unless the answer is a problem. */
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

/** `Retry-After`, in seconds, of a create that is not final. */
export const lookAgainSeconds = 5
const unavailableSeconds = 2
const inProgressSeconds = 2

/** @throws Problem if no client was created; with a key the problem carries `Idempotency-Status` */
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
      throw rejected(
        requestId,
        { code: partnerCode, description: partnerDescription ?? row.partnerDescription },
        headers,
      )
    case 'sent':
      // FreedomPay did not take our send, but another replica holds the claim now.
      if (notTaken !== undefined) throw inProgress(requestId)
      break
    case 'unknown':
    case 'not-created':
      if (notTaken !== undefined) throw toProblem(settlement, notTaken, headers)
  }
  // Also if FreedomPay seems never to have had the request: silence is no proof, so the answer does not say "not created".
  return { idempotencyStatus, representation: { requestId, status: 'unknown', updatedAt } }
}

/** For a rejection that an operator has entered, or that FreedomPay did not explain. Names no person and no ticket. */
export const noReason =
  'This service knows no reason of FreedomPay. FreedomPay gave none, or an operator of this service has entered the outcome.'

function toReason({ code, description }: PartnerReason): PartnerReason {
  return { code, description: code === undefined ? (description ?? noReason) : description }
}

function rejected(requestId: string, reason: PartnerReason, headers: Record<string, string>): Problem {
  const partner = toReason(reason)
  const options = { requestId, partner, headers }
  if (partner.description !== noReason) return new Problem('partner-rejected', options)
  const detail = `FreedomPay rejected the client, so the client does not exist. ${noReason}`
  return new Problem('partner-rejected', { ...options, detail })
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
      const detail = 'FreedomPay limits the number of requests and did not take this request.'
      const later = { ...ownHeaders, ...retryAfter(seconds) }
      return new Problem('partner-unavailable', { requestId, detail, safeToRetry, headers: later })
    }
    case 'not-admitted': {
      const detail = 'FreedomPay could not be reached several times in a row, so this request was not sent.'
      return new Problem('partner-unavailable', { requestId, detail, safeToRetry, headers })
    }
    case 'not-sent':
      // The log already holds the cause of each attempt.
      return new Problem('partner-unavailable', { requestId, safeToRetry, headers })
  }
}

/** PARTNER_RESEND=false forbids another send, and FreedomPay does not seem to know the request. */
export function notSentAgain(requestId: string): Problem {
  return new Problem('partner-unavailable', {
    requestId,
    detail:
      'FreedomPay does not know this request, and this service must not send it a second time (PARTNER_RESEND=false). Read the request; a person decides whether to use a new key.',
    safeToRetry: 'same-key-only',
    headers: retryAfter(unavailableSeconds),
  })
}

/** Carries the requestId of the earlier request: the new body has no request of its own. */
export function keyReused({ requestId }: Pick<Row, 'requestId'>): Problem {
  return new Problem('idempotency-key-reused', { requestId })
}

/** Another request holds the claim of this key. */
export function inProgress(requestId: string): Problem {
  return new Problem('request-in-progress', { requestId, headers: retryAfter(inProgressSeconds) })
}

/** The answer of `GET /clients/requests/{requestId}`. */
export function toClientRequest(row: Row): ClientRequest {
  const { requestId, state, clientId, partnerCode, partnerDescription } = row
  const updatedAt = new Date(row.updatedAtMs).toISOString()
  switch (state) {
    case 'created':
      return { requestId, status: state, clientId, updatedAt }
    case 'rejected':
      return {
        requestId,
        status: state,
        partner: toReason({ code: partnerCode, description: partnerDescription }),
        updatedAt,
      }
    case 'processing':
    case 'unknown':
    case 'not-created':
      return { requestId, status: state, updatedAt }
    case 'sent':
      // The send may be under way, so FreedomPay may or may not have the request.
      return { requestId, status: 'unknown', updatedAt }
  }
}
