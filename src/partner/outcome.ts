/**
 * What one exchange means. Pure, and the one place where FreedomPay's words are judged: a word that we do not know is
 * never success and never failure, and only the partner's own "error", read in full, is a refusal.
 */
import { Compile } from '../typebox.ts'
import type { Exchange, ExchangeFailure } from './exchange.ts'
import { type Operation, PartnerAnswer } from './schema.ts'

/** The `result` label of `partner_request_duration_seconds`. */
export const results = [
  'ok',
  'rejected',
  'http_4xx',
  'http_5xx',
  'timeout',
  'reset',
  'refused',
  'dns',
  'tls',
  'bad_body',
  'drift',
] as const
export type Result = (typeof results)[number]

export interface PartnerReason {
  code?: string
  description?: string
}

/**
 * created, processing, rejected: the partner's word on the request itself; but an `error` to a question for a status may be about
 * the question (mayConcernQuestion), and counts only if it stands, or where the partner is known to have the request.
 * duplicate: it has had this request_id before. no-such-request: it does not know the request_id, now. not-sent: provably
 * nothing left this process. misconfigured: it refuses our credential. throttled: it refuses for now. unknown: it may or may
 * not have acted; nothing else may be concluded.
 */
export type Outcome = { result: Result } & (
  | { kind: 'created'; clientId: string | undefined }
  | { kind: 'processing' }
  | { kind: 'rejected'; partner: PartnerReason; mayConcernQuestion?: boolean }
  | { kind: 'duplicate' }
  | { kind: 'no-such-request' }
  | { kind: 'not-sent'; cause: unknown }
  | { kind: 'not-admitted' }
  | { kind: 'misconfigured'; statusCode: number }
  | { kind: 'throttled'; retryAfter: string | undefined }
  | { kind: 'unknown'; statusCode?: number; cause?: unknown; drift?: string }
)

/** Partner codes that carry a meaning of their own; which ones is a setting, as the Card API's own table is unpublished. */
export interface PartnerCodes {
  readonly duplicate: ReadonlySet<string>
  readonly notFound: ReadonlySet<string>
}

const answerCheck = Compile(PartnerAnswer)

export function classify(operation: Operation, exchange: Exchange, codes: PartnerCodes): Outcome {
  if (exchange.kind === 'failed') return classifyFailure(exchange)
  const { statusCode, retryAfter, body } = exchange
  if (statusCode === 200) return classifyBody(operation, body, codes)
  if (statusCode === 401 || statusCode === 403) return { kind: 'misconfigured', result: 'http_4xx', statusCode }
  if (statusCode === 429) return { kind: 'throttled', result: 'http_4xx', retryAfter }
  if (statusCode === 404 && operation === 'status') return { kind: 'no-such-request', result: 'http_4xx' }
  return { kind: 'unknown', result: resultOfStatusCode(statusCode), statusCode }
}

function classifyFailure(failure: { sent: boolean; reason: ExchangeFailure; cause: unknown }): Outcome {
  const { sent, reason, cause } = failure
  return sent ? { kind: 'unknown', result: reason, cause } : { kind: 'not-sent', result: reason, cause }
}

function resultOfStatusCode(statusCode: number): Result {
  if (statusCode >= 500) return 'http_5xx'
  return statusCode >= 400 ? 'http_4xx' : 'drift'
}

function classifyBody(operation: Operation, body: string, codes: PartnerCodes): Outcome {
  let answer: unknown
  try {
    answer = JSON.parse(body)
  } catch (cause) {
    return { kind: 'unknown', result: 'bad_body', cause }
  }
  if (!answerCheck.Check(answer)) return drift('a member is missing or of another type')

  switch (answer.status) {
    case 'ok':
      return classifyAccepted(operation, answer)
    case 'error':
      return classifyError(operation, answer, codes)
    default:
      return drift(`status ${quoteWord(answer.status)}`)
  }
}

function classifyAccepted(operation: Operation, answer: PartnerAnswer): Outcome {
  switch (answer.request_status) {
    case 'success':
      // An empty id is none.
      return { kind: 'created', result: 'ok', clientId: String(answer.client_id ?? '') || undefined }
    case 'process':
      return { kind: 'processing', result: 'ok' }
    case 'error':
      // Asked for the status, "ok" is about the asking and "error" about the request. As the answer to a create it contradicts itself.
      return operation === 'status'
        ? { kind: 'rejected', result: 'ok', partner: reasonOf(answer) }
        : drift('status "ok" with request_status "error"')
    default:
      return drift(`status "ok" with request_status ${quoteWord(answer.request_status)}`)
  }
}

function classifyError(operation: Operation, answer: PartnerAnswer, codes: PartnerCodes): Outcome {
  const { request_status: requestStatus } = answer
  if (requestStatus !== undefined && requestStatus !== 'error') {
    return drift(`status "error" with request_status ${quoteWord(requestStatus)}`)
  }
  const partner = reasonOf(answer)
  const code = partner.code ?? ''
  // Of a question, too, this says that an earlier request has the id, and never that it failed.
  if (codes.duplicate.has(code)) return { kind: 'duplicate', result: 'rejected' }
  if (operation === 'status') {
    if (codes.notFound.has(code)) return { kind: 'no-such-request', result: 'rejected' }
    // Without its own request_status this may be about the asking alone.
    if (requestStatus === undefined) return drift('status "error" without request_status')
  }
  const rejected: Outcome = { kind: 'rejected', result: 'rejected', partner }
  return operation === 'status' ? { ...rejected, mayConcernQuestion: true } : rejected
}

/** Documented codes have four digits. What is longer than a code is cut, as it goes to callers and logs. */
const maxCodeLength = 64

function reasonOf({ error_code: code, error_description: description }: PartnerAnswer): PartnerReason {
  const shortCode = code === undefined || code === null ? undefined : String(code).slice(0, maxCodeLength)
  return { code: shortCode, description: description ?? undefined }
}

function drift(what: string): Outcome {
  return { kind: 'unknown', result: 'drift', drift: what }
}

/** A word of the partner's may go to the log only where it cannot be personal data. */
function quoteWord(word: string | undefined): string {
  if (word === undefined) return 'missing'
  return /^[a-z][a-z_-]{0,31}$/i.test(word) ? `"${word}"` : 'unreadable'
}
