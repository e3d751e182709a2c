/** The OpenAPI description of the client routes: every answer with its headers and named examples. */
import Type from 'typebox'
import {
  callerCodes,
  everyAnswer,
  everyRouteCodes,
  idempotencyStatus,
  problemAnswers,
  retryAfter,
  toAnswer,
} from '../problems/answers.ts'
import { documentedBody } from './body/documented-schema.ts'
import { ClientRequest, CreatedClient, PendingClient } from './body/schema.ts'
import { idempotencyKeyPattern } from './create/idempotency-key.ts'
import {
  bodyExamples,
  createdExamples,
  exampleRequestId,
  pendingExamples,
  problemExamples,
  readRequestProblemExamples,
  requestExamples,
} from './route-examples.ts'

const acceptedAnswer = {
  ...everyAnswer,
  ...idempotencyStatus,
  Location: Type.String({ format: 'uri-reference', description: 'Where to read what became of this create' }),
  'Preference-Applied': Type.String({ description: 'The preferences that were honoured, where there are any' }),
}

/** The OpenAPI link from the answer of a create to the later read. */
const readRequestLink = {
  readRequest: {
    operationId: 'readRequest',
    parameters: { requestId: '$response.body#/requestId' },
    description: 'What is known of this create later: the address in `Location`',
  },
}

const { anyOf, ...clientRequest } = ClientRequest
/** OpenAPI's `oneOf` (exactly one): TypeBox can express only `anyOf`. */
const oneClientRequest = { ...clientRequest, oneOf: anyOf }

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
        pattern: idempotencyKeyPattern,
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
        description:
          'Your name for this HTTP request, for the logs: 1 to 64 of A-Z a-z 0-9 . _ -; otherwise it is replaced. A repeated request may have another one: it is neither the Idempotency-Key nor the `requestId` of the create',
      }),
    ),
    traceparent: Type.Optional(Type.String({ description: 'W3C trace context; its trace id is logged' })),
  }),
  body: { ...documentedBody, 'x-examples': bodyExamples },
  response: {
    201: toAnswer('Created', acceptedAnswer, 'application/json', CreatedClient, createdExamples),
    202: toAnswer(
      'Accepted; the outcome is not final yet. Look again at `Location` after `Retry-After`',
      { ...acceptedAnswer, ...retryAfter },
      'application/json',
      PendingClient,
      pendingExamples,
    ),
    ...problemAnswers(
      [
        'invalid-request',
        'invalid-idempotency-key',
        ...callerCodes,
        'request-in-progress',
        'body-too-large',
        'unsupported-media-type',
        'partner-rejected',
        'idempotency-key-reused',
        'partner-misconfigured',
        'partner-unavailable',
        ...everyRouteCodes,
        'ledger-unavailable',
      ],
      problemExamples,
    ),
  },
}

export const createClientLinks = { 201: readRequestLink, 202: readRequestLink }

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
      { ...everyAnswer, ...retryAfter },
      'application/json',
      oneClientRequest,
      requestExamples,
    ),
    ...problemAnswers(
      ['invalid-request', ...callerCodes, ...everyRouteCodes, 'ledger-unavailable'],
      readRequestProblemExamples,
    ),
  },
}
