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
  Location: Type.String({
    format: 'uri-reference',
    description: 'The address at which the state of this create can be read',
  }),
  'Preference-Applied': Type.String({ description: 'The preferences that were honoured, where there are any' }),
}

/** The OpenAPI link from the answer of a create to the later read. */
const readRequestLink = {
  readRequest: {
    operationId: 'readRequest',
    parameters: { requestId: '$response.body#/requestId' },
    description: 'Reads the state of this create later: the address in `Location`',
  },
}

const { anyOf, ...clientRequest } = ClientRequest
/** OpenAPI's `oneOf` (exactly one): TypeBox can express only `anyOf`. */
const oneClientRequest = { ...clientRequest, oneOf: anyOf }

const createDescription = `201: FreedomPay has created the client. 202: the outcome is not final yet. Every other answer is a problem,
and this request has created no client. Only with \`safeToRetry: same-key-only\` that is not certain.

If the service uses its sandbox, the last three digits of the phone number choose the scenario. Each example names its scenario.`

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
          'Names your intent: all requests with one key and one body create at most one client. 1 to 255 visible ASCII characters, for example a UUID. A key in double quotes is the same key as without',
      }),
    ),
    Prefer: Type.Optional(
      Type.String({
        description:
          '`respond-async`: answer as soon as FreedomPay has accepted the request. `wait=N`: wait up to N seconds, at most the deadline, for a final outcome',
      }),
    ),
    'X-Request-Id': Type.Optional(
      Type.String({
        description:
          'Your name for this HTTP request, for the logs: 1 to 64 of A-Z a-z 0-9 . _ -; the service replaces any other value. A repeated request may have another name. The name is neither the Idempotency-Key nor the `requestId` of the create',
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
  summary: 'Read the state of an earlier create',
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
      'The state of the create',
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
