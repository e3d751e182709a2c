/** A problem: what a route throws, and what a caller gets of it. Problem details: RFC 9457. */
import Type, { type Static } from 'typebox'
import { type ProblemCode, problemCodes, problems, SafeToRetry } from './catalogue.ts'

export const InputError = Type.Object(
  {
    pointer: Type.String({
      description: 'JSON Pointer (RFC 6901) into the body, or the name of a header or parameter',
    }),
    message: Type.String({ description: 'What is expected there; never the value that came' }),
  },
  { title: 'InputError' },
)
export type InputError = Static<typeof InputError>

export const PartnerReason = Type.Object(
  {
    code: Type.Optional(Type.String({ description: 'FreedomPay’s error code' })),
    description: Type.Optional(Type.String({ description: 'FreedomPay’s description of it' })),
  },
  { title: 'PartnerReason', description: 'Why FreedomPay decided so, in its own words but without personal data' },
)
export type PartnerReason = Static<typeof PartnerReason>

/** Problem details (RFC 9457). OpenAPI has a schema for each code instead, with these members: answers.ts. */
export const ProblemBody = Type.Object({
  type: Type.String({ description: 'Address of the page that explains this problem', format: 'uri-reference' }),
  title: Type.String({ description: 'The problem in one line; the same for every problem of this code' }),
  status: Type.Integer({ description: 'The HTTP status', minimum: 400, maximum: 599 }),
  detail: Type.String({ description: 'What happened' }),
  code: Type.Enum(problemCodes, { type: 'string', description: 'The problem, for programs' }),
  safeToRetry: SafeToRetry,
  requestId: Type.Optional(Type.String()),
  errors: Type.Optional(Type.Array(InputError)),
  partner: Type.Optional(PartnerReason),
})
export type ProblemBody = Static<typeof ProblemBody>

export interface ProblemOptions {
  detail?: string
  /** Where HTTP has a more precise status than the table, e.g. 431 for a header overflow. */
  status?: number
  requestId?: string
  errors?: InputError[]
  partner?: PartnerReason
  headers?: Record<string, string>
  /** Where an earlier attempt of the same key cannot be excluded, the catalogue says too much. */
  safeToRetry?: SafeToRetry
  cause?: unknown
}

/** What a route throws; the error handler turns it into one reply and, where it is a failure, one log line. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: ProblemBody

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    const definition = problems[code]
    super(definition.title, { cause: options.cause })
    this.name = 'Problem'
    this.code = code
    this.status = options.status ?? definition.status
    this.headers = options.headers ?? {}
    this.body = {
      type: `/problems/${code}`,
      title: definition.title,
      status: this.status,
      detail: options.detail ?? definition.happened,
      code,
      safeToRetry: options.safeToRetry ?? definition.safeToRetry,
      requestId: options.requestId,
      // Always there for this code, so that a caller's program need not ask whether it is.
      errors: options.errors ?? (code === 'invalid-request' ? [] : undefined),
      partner: options.partner,
    }
  }
}

/** What a caller gets of a problem: its page stands under the same path as every other route. */
export function toBody(problem: Problem, basePath: string): ProblemBody {
  return { ...problem.body, type: `${basePath}${problem.body.type}` }
}

/** Up to half as long again, so that callers who were refused together do not come back together. */
const jitter = 0.5

export function retryAfter(seconds: number, random = Math.random): Record<string, string> {
  return { 'retry-after': String(Math.max(1, Math.ceil(seconds * (1 + jitter * random())))) }
}

/** Where a key came along, an earlier attempt of it may have reached FreedomPay. */
export function safeToRetryWith(key: unknown): SafeToRetry {
  return key === undefined ? 'yes' : 'same-key-only'
}

/** Of a request that is refused before the ledger was asked for its key: an earlier attempt may have gone further. */
export function safeToRetryUnread(headers: Readonly<Record<string, unknown>>): SafeToRetry {
  return safeToRetryWith(headers['idempotency-key'])
}
