/** The problems of a route in OpenAPI. Each code is a named schema of its own, so that generated code tells the codes apart. */
import Type, { type TSchema } from 'typebox'
import { type ProblemCode, problems, type SafeToRetry, safeToRetryDescription } from './catalogue.ts'
import { InputError, PartnerReason, ProblemBody } from './problem.ts'

/** The headers of every answer. */
export const everyAnswer = {
  'X-Request-Id': Type.String({
    description:
      'Names this HTTP request in the logs: your own value if it is well-formed. `requestId` is another identifier: it names the create',
  }),
  'X-Partner': Type.Enum(['sandbox'], {
    type: 'string',
    description: '`sandbox` if the service talks to its sandbox, otherwise absent',
  }),
}
export const retryAfter = {
  'Retry-After': Type.Integer({ minimum: 1, description: 'Wait this many seconds before the next request' }),
}
export const idempotencyStatus = {
  'Idempotency-Status': Type.Enum(['new', 'joined', 'replayed'], {
    type: 'string',
    description:
      'Only with an Idempotency-Key. new: this request started the create. joined: this request waited for an earlier one in flight. replayed: the answer comes from an earlier request',
  }),
}
const wwwAuthenticate = {
  'WWW-Authenticate': Type.String({
    description: 'Which credential is required, and the fault of the credential in the request',
  }),
}
const allow = { Allow: Type.String({ description: 'The methods that the route knows' }) }

/** The problems of every route that authenticates its caller. */
export const callerCodes = ['unauthenticated', 'forbidden', 'rate-limited'] as const satisfies ProblemCode[]

/** The problems that every route can answer with. */
export const everyRouteCodes = [
  'not-found',
  'method-not-allowed',
  'internal',
  'overloaded',
] as const satisfies ProblemCode[]

const requestId = Type.String({
  format: 'uuid',
  description: 'The create that the problem is about: quote this identifier when you ask for support',
})
const errors = Type.Array(InputError, { description: 'Every place that breaks the contract' })

/** Members that only some codes have. */
const extraMembers: Partial<
  Record<ProblemCode, { required?: Record<string, TSchema>; optional?: Record<string, TSchema> }>
> = {
  'invalid-request': { required: { errors } },
  'request-in-progress': { required: { requestId } },
  'idempotency-key-reused': { required: { requestId } },
  'partner-rejected': { required: { requestId, partner: PartnerReason } },
  internal: { optional: { requestId } },
  'partner-misconfigured': { required: { requestId } },
  'partner-unavailable': { required: { requestId } },
}

/** The possible values of `safeToRetry`: the catalogue's value, or `same-key-only` if the request had a key. */
function wordsOf(safeToRetry: SafeToRetry): SafeToRetry[] {
  return safeToRetry === 'yes' ? ['yes', 'same-key-only'] : [safeToRetry]
}

function toName(code: ProblemCode): string {
  const words = code.split('-').map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
  return `${words.join('')}Problem`
}

/** The status of `invalid-request` is no constant: HTTP has more precise ones, such as 431. */
function toSchema(code: ProblemCode): TSchema {
  const { status, safeToRetry, title } = problems[code]
  const { type, title: line, detail } = ProblemBody.properties
  const { required = {}, optional = {} } = extraMembers[code] ?? {}
  const own = {
    type,
    title: line,
    status: code === 'invalid-request' ? ProblemBody.properties.status : { type: 'integer', const: status },
    detail,
    code: { type: 'string', const: code },
    safeToRetry: Type.Enum(wordsOf(safeToRetry), {
      type: 'string',
      description: safeToRetryDescription,
    }),
    ...required,
  }
  return {
    type: 'object',
    title: toName(code),
    description: title,
    required: Object.keys(own),
    properties: { ...own, ...optional },
  }
}

/** One schema, or a `oneOf` by `code`. */
function toSchemaOfAll(codes: readonly ProblemCode[]): TSchema {
  const [only, ...more] = codes
  if (only !== undefined && more.length === 0) return toSchema(only)
  const mapping = Object.fromEntries(codes.map((code) => [code, `#/components/schemas/${toName(code)}`]))
  return { oneOf: codes.map(toSchema), discriminator: { propertyName: 'code', mapping } }
}

export interface ProblemExample {
  readonly summary: string
  readonly value: object
}
export type ProblemExamples = Partial<Record<ProblemCode, Record<string, ProblemExample>>>

/** One answer of a route. The title of a schema becomes its name in OpenAPI, see plugins/openapi-document.ts. */
export function toAnswer(description: string, headers: object, mediaType: string, schema: TSchema, examples?: object) {
  return { description, headers, content: { [mediaType]: { schema, ...(examples && { examples }) } } }
}

/** One answer for each status of the codes, and `4XX` for requests that are unreadable as HTTP. */
export function problemAnswers(codes: readonly ProblemCode[], examples: ProblemExamples = {}) {
  const mediaType = 'application/problem+json'
  const byStatus = Map.groupBy(codes, (code) => problems[code].status)
  const answers = [...byStatus].map(([status, group]) => {
    const description = group.map((code) => problems[code].title).join('; or: ')
    const headers = {
      ...everyAnswer,
      ...(status === 405 && allow),
      ...((status === 401 || status === 403) && wwwAuthenticate),
      ...([409, 429, 503].includes(status) && retryAfter),
      ...(group.some((code) => code.startsWith('partner-')) && idempotencyStatus),
    }
    const shown = Object.assign({}, ...group.map((code) => examples[code] ?? { [code]: toProblemExample(code) }))
    return [String(status), toAnswer(description, headers, mediaType, toSchemaOfAll(group), shown)]
  })
  const unreadable =
    'The request is unreadable as HTTP: 408 too slow, 414 address too long, 417 unknown expectation, 431 headers too long'
  const shown = {
    'invalid-request': toProblemExample('invalid-request', {
      status: 431,
      errors: [{ pointer: '', message: 'the header lines together are too long' }],
    }),
  }
  return {
    ...Object.fromEntries(answers),
    '4XX': toAnswer(unreadable, everyAnswer, mediaType, toSchema('invalid-request'), shown),
  }
}

export function toProblemExample(code: ProblemCode, members: object = {}, summary?: string): ProblemExample {
  const { status, title, safeToRetry, happened } = problems[code]
  const value = { type: `/problems/${code}`, title, status, detail: happened, code, safeToRetry, ...members }
  return { summary: summary ?? title, value }
}
