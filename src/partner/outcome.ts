/**
 * The meaning of one exchange. Pure, and the only place that judges FreedomPay's words: an unknown word is never success and
 * never failure, and only FreedomPay's own "error", in an answer that was read completely, is a refusal.
 */
import { Compile } from '../schemas/compile.ts'
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
  code?: string | undefined
  description?: string | undefined
}

/**
 * created, processing, rejected: FreedomPay's word about the request; but the answer `error` + `error` to a question may be about
 * the question (mayConcernQuestion). duplicate: FreedomPay had this request_id before. no-such-request: FreedomPay does not know
 * the request_id at the moment. not-sent: provably nothing left this process. not-admitted: the circuit is open. misconfigured:
 * FreedomPay refuses our credential. throttled: HTTP 429. unknown: FreedomPay may or may not have acted; nothing can be concluded.
 */
export type Outcome = {
  result: Result
  /** Our own deadline cut the call, or an idle connection was stale: this says nothing about FreedomPay's health. */
  isOurDoing?: boolean
} & (
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

/** Partner codes with a meaning of their own. They are a setting, as the Card API's own table is unpublished. */
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
  // A 404 of a gateway is a page; FreedomPay's 404 is a JSON object.
  if (statusCode === 404 && operation === 'status' && isJsonObject(body)) {
    return { kind: 'no-such-request', result: 'http_4xx' }
  }
  return { kind: 'unknown', result: resultOfStatusCode(statusCode), statusCode }
}

interface Failure {
  readonly sent: boolean
  readonly reason: ExchangeFailure
  readonly cause: unknown
  readonly isOurDoing?: boolean
}

function classifyFailure({ sent, reason, cause, isOurDoing }: Failure): Outcome {
  const whose = isOurDoing ? { isOurDoing } : {}
  return { kind: sent ? 'unknown' : 'not-sent', result: reason, cause, ...whose }
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
      return classifySuccess(answer)
    case 'process':
      return { kind: 'processing', result: 'ok' }
    case 'error':
      // In the answer to a question "ok" is about the question and "error" about the request. The answer to a create contradicts itself.
      return operation === 'status'
        ? { kind: 'rejected', result: 'ok', partner: reasonOf(answer) }
        : drift('status "ok" with request_status "error"')
    default:
      return drift(`status "ok" with request_status ${quoteWord(answer.request_status)}`)
  }
}

/** A documented example has 36 characters. */
const maxClientIdLength = 128

function classifySuccess({ client_id: clientId }: PartnerAnswer): Outcome {
  if (clientId === undefined || clientId === null) return { kind: 'created', result: 'ok', clientId: undefined }
  return isClientId(clientId)
    ? { kind: 'created', result: 'ok', clientId: String(clientId) }
    : drift('client_id is no id')
}

/** JSON.parse rounds an unsafe integer, which then may be the id of another client. */
export function isClientId(clientId: string | number): boolean {
  if (typeof clientId === 'number') return Number.isSafeInteger(clientId)
  return clientId.length <= maxClientIdLength && clientId.isWellFormed() && /^(?!\s*$)[^\p{Cc}]+$/u.test(clientId)
}

function classifyError(operation: Operation, answer: PartnerAnswer, codes: PartnerCodes): Outcome {
  const { request_status: requestStatus } = answer
  if (requestStatus !== undefined && requestStatus !== 'error') {
    return drift(`status "error" with request_status ${quoteWord(requestStatus)}`)
  }
  const partner = reasonOf(answer)
  const code = partner.code ?? ''
  // In the answer to a question, too, this says that FreedomPay has the request, and never that the request failed.
  if (codes.duplicate.has(code)) return { kind: 'duplicate', result: 'rejected' }
  if (operation === 'status') {
    if (codes.notFound.has(code)) return { kind: 'no-such-request', result: 'rejected' }
    // Without a request_status the answer may be about the question only.
    if (requestStatus === undefined) return drift('status "error" without request_status')
  }
  const rejected: Outcome = { kind: 'rejected', result: 'rejected', partner }
  return operation === 'status' ? { ...rejected, mayConcernQuestion: true } : rejected
}

/** Documented codes have four digits. A longer text may quote the request: five digits in a row may be a phone number. */
const codeForm = /^(?!.*\d{5})[A-Za-z0-9_.-]{1,16}$/

function reasonOf({ error_code: code, error_description: description }: PartnerAnswer): PartnerReason {
  const text = String(code ?? '')
  return { code: codeForm.test(text) ? text : undefined, description: description?.toWellFormed() || undefined }
}

function drift(what: string): Outcome {
  return { kind: 'unknown', result: 'drift', drift: what }
}

/** Those that can stand where another word is expected: "error" never does. */
const knownWords: readonly (string | undefined)[] = ['ok', 'success', 'process']

/** An unknown word may be personal data, so no log contains it. */
function quoteWord(word: string | undefined): string {
  if (word === undefined) return 'missing'
  return knownWords.includes(word) ? `"${word}"` : 'unreadable'
}

function isJsonObject(body: string): boolean {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
