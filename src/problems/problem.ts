/** A problem, as a route throws it and as the caller gets it: problem details (RFC 9457). */
import Type, { type Static } from 'typebox'
import { type ProblemCode, problemCodes, problems, SafeToRetry } from './catalogue.ts'

export const InputError = Type.Object(
  {
    pointer: Type.String({
      description: 'JSON Pointer (RFC 6901) into the body, or the name of a header or parameter',
    }),
    message: Type.String({ description: 'The rule that is broken; never the value of the request' }),
  },
  { title: 'InputError' },
)
export type InputError = Static<typeof InputError>

export const PartnerReason = Type.Object(
  {
    code: Type.Optional(Type.String({ description: 'FreedomPay’s error code' })),
    description: Type.Optional(
      Type.String({
        description:
          'FreedomPay’s description of the error; without a `code` also a sentence of this service, if FreedomPay gave no reason',
      }),
    ),
  },
  {
    title: 'PartnerReason',
    description: 'Why FreedomPay rejected the client: its own words as far as they are known, without personal data',
  },
)
export type PartnerReason = Static<typeof PartnerReason>

/** Problem details (RFC 9457). OpenAPI has one schema for each code instead, with the same members: answers.ts. */
export const ProblemBody = Type.Object({
  type: Type.String({ description: 'Address of the page that explains this problem', format: 'uri-reference' }),
  title: Type.String({ description: 'The problem in one line; the same for every problem of this code' }),
  status: Type.Integer({ description: 'The HTTP status', minimum: 400, maximum: 599 }),
  detail: Type.String({ description: 'What happened' }),
  code: Type.Enum(problemCodes, { type: 'string', description: 'The name of the problem, for programs' }),
  safeToRetry: SafeToRetry,
  requestId: Type.Optional(Type.String()),
  errors: Type.Optional(Type.Array(InputError)),
  partner: Type.Optional(PartnerReason),
})
export type ProblemBody = Static<typeof ProblemBody>

export interface ProblemOptions {
  detail?: string
  /** If HTTP has a more precise status than the catalogue, e.g. 431 for a header overflow. */
  status?: number
  requestId?: string
  errors?: InputError[]
  partner?: PartnerReason
  headers?: Record<string, string>
  /** If an earlier attempt with the same key may have reached FreedomPay, the catalogue's `yes` would be wrong. */
  safeToRetry?: SafeToRetry
  cause?: unknown
}

/** Routes throw a problem. The error handler makes one answer of it, and one log line if it is a failure. */
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
      // Always present with this code, so that a caller's program need not check for it.
      errors: options.errors ?? (code === 'invalid-request' ? [] : undefined),
      partner: options.partner,
    }
  }
}

/** The body of the answer. The address of the problem's page starts with the base path, as every route does. */
export function toBody(problem: Problem, basePath: string): ProblemBody {
  return { ...problem.body, type: `${basePath}${problem.body.type}` }
}

/** Up to 50 % longer, so that callers that were refused together do not come back together. */
const jitter = 0.5
/** FreedomPay's own pause is cut to this as well, see partner/retry.ts. */
const longestSeconds = 5 * 60

export function retryAfter(seconds: number, random = Math.random): Record<string, string> {
  const longer = Math.ceil(seconds * (1 + jitter * random()))
  return { 'retry-after': String(Math.min(longestSeconds, Math.max(1, longer))) }
}

/** With a key, an earlier attempt may have reached FreedomPay. */
export function safeToRetryWith(key: unknown): SafeToRetry {
  return key === undefined ? 'yes' : 'same-key-only'
}

/** For a request that is refused before the ledger was asked for its key. */
export function safeToRetryUnread(headers: Readonly<Record<string, unknown>>): SafeToRetry {
  return safeToRetryWith(headers['idempotency-key'])
}
