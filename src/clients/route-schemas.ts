/** What OpenAPI says of the client routes: every answer with its headers and named examples. */
import Type, { type TSchema } from 'typebox'
import { ProblemBody, type ProblemCode, problems } from '../problems/problem.ts'
import { ClientRequest, CreateClient, CreatedClient, PendingClient } from './body/schema.ts'
import {
  bodyExamples,
  createdExamples,
  exampleRequestId,
  pendingExamples,
  problemMembers,
  requestExamples,
  toProblemExample,
} from './route-examples.ts'

const everyAnswer = {
  'X-Request-Id': Type.String({
    description: 'The id of this HTTP request in the logs; the caller’s own where it is well-formed',
  }),
  'X-Partner': Type.String({ description: '`sandbox` while the service talks to its sandbox, otherwise absent' }),
}
const retryAfter = { 'Retry-After': Type.Integer({ minimum: 1, description: 'Seconds' }) }
const wwwAuthenticate = {
  'WWW-Authenticate': Type.String({
    description: 'Which credential is wanted, and what is wrong with the one that came',
  }),
}
const idempotencyStatus = {
  'Idempotency-Status': Type.Enum(['new', 'joined', 'replayed'], {
    type: 'string',
    description:
      'With an Idempotency-Key only. new: this request did it. joined: it waited for an earlier one that was in flight. replayed: it is the answer to an earlier one',
  }),
}
const acceptedAnswer = {
  ...everyAnswer,
  ...idempotencyStatus,
  Location: Type.String({ format: 'uri-reference', description: 'Where to read what became of it' }),
  'Preference-Applied': Type.String({ description: 'The preferences that were honoured, where there are any' }),
}

const { birthDate, email, identification } = CreateClient.properties

/** With the formats, which say less than the rules in schema.ts, so that nothing checks them there. */
const createClientBody = {
  ...CreateClient,
  title: 'CreateClient',
  properties: {
    ...CreateClient.properties,
    birthDate: { ...birthDate, format: 'date' },
    email: { ...email, format: 'email' },
    identification: {
      ...identification,
      properties: {
        ...identification.properties,
        identifiedAt: { ...identification.properties.identifiedAt, format: 'date-time' },
      },
    },
  },
  'x-examples': bodyExamples,
}

/** One answer of a route. A schema's title is its name in OpenAPI, see plugins/openapi-document.ts. */
function toAnswer(description: string, headers: object, mediaType: string, schema: TSchema, examples: object) {
  return { description, headers, content: { [mediaType]: { schema, examples } } }
}

/** The answers that a list of problem codes stands for, one for each status. */
export function problemAnswers(codes: ProblemCode[], members = problemMembers) {
  const byStatus = Map.groupBy(codes, (code) => problems[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => {
      const description = group.map((code) => problems[code].title).join('; or: ')
      const headers = {
        ...everyAnswer,
        ...((status === 503 || status === 409 || status === 429) && retryAfter),
        ...((status === 401 || status === 403) && wwwAuthenticate),
        ...(group.some((code) => code.startsWith('partner-')) && idempotencyStatus),
      }
      const examples = Object.fromEntries(group.map((code) => [code, toProblemExample(code, members[code])]))
      return [status, toAnswer(description, headers, 'application/problem+json', ProblemBody, examples)]
    }),
  )
}

const createDescription = `Answers 201 when FreedomPay has created the client, 202 when the outcome is not final yet, and
otherwise a problem: then this request has created nothing, unless it says \`safeToRetry: same-key-only\`, where that is not certain.

Where the service talks to its sandbox, the last three digits of the phone number choose what happens; the examples have them.`

export const createClientSchema = {
  operationId: 'createClient',
  summary: 'Create a card client at FreedomPay',
  description: createDescription,
  tags: ['clients'],
  headers: Type.Object({
    'Idempotency-Key': Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'Names your intent: however often it comes, with one key and one body at most one client is created. 1 to 255 visible ASCII characters, for example a UUID; in double quotes it is the same key',
      }),
    ),
    Prefer: Type.Optional(
      Type.String({
        description:
          '`respond-async`: answer as soon as FreedomPay has accepted. `wait=N`: wait up to N seconds, at most the deadline, for a final outcome',
      }),
    ),
    'X-Request-Id': Type.Optional(
      Type.String({
        description: 'Your id of this HTTP request: 1 to 64 of A-Z a-z 0-9 . _ -; otherwise it is replaced',
      }),
    ),
    traceparent: Type.Optional(Type.String({ description: 'W3C trace context; its trace id is logged' })),
  }),
  body: createClientBody,
  response: {
    201: toAnswer(
      'Created',
      acceptedAnswer,
      'application/json',
      { ...CreatedClient, title: 'CreatedClient' },
      createdExamples,
    ),
    202: toAnswer(
      'Accepted; the outcome is not final yet. Look again at `Location` after `Retry-After`',
      { ...acceptedAnswer, ...retryAfter },
      'application/json',
      { ...PendingClient, title: 'PendingClient' },
      pendingExamples,
    ),
    ...problemAnswers([
      'invalid-request',
      'invalid-idempotency-key',
      'unauthenticated',
      'forbidden',
      'request-in-progress',
      'body-too-large',
      'unsupported-media-type',
      'partner-rejected',
      'idempotency-key-reused',
      'rate-limited',
      'internal',
      'partner-misconfigured',
      'partner-unavailable',
      'overloaded',
      'ledger-unavailable',
    ]),
  },
}

export const readRequestSchema = {
  operationId: 'readRequest',
  summary: 'What is known of an earlier create',
  description: 'Only the caller that made the request sees it.',
  tags: ['clients'],
  params: Type.Object({
    requestId: Type.String({
      format: 'uuid',
      description: '`requestId` of the answer to the create',
      examples: [exampleRequestId],
    }),
  }),
  response: {
    200: toAnswer(
      'What is known',
      everyAnswer,
      'application/json',
      { ...ClientRequest, title: 'ClientRequest' },
      requestExamples,
    ),
    ...problemAnswers(
      [
        'invalid-request',
        'unauthenticated',
        'forbidden',
        'not-found',
        'rate-limited',
        'internal',
        'overloaded',
        'ledger-unavailable',
      ],
      { 'invalid-request': { errors: [{ pointer: 'requestId', message: 'must be a UUID' }] } },
    ),
  },
}
