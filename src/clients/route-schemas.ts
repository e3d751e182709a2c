/** What OpenAPI says of the client routes: every answer with its headers and a named example. */
import Type from 'typebox'
import { type ProblemCode, problems } from '../problems.ts'
import { ClientRequest, CreateClient, CreatedClient, PendingClient } from './schema.ts'

const exampleId = '0b9f5c1e-6d0c-5f0e-9d86-1c6a3f4b2a10'
const exampleTime = '2026-01-31T04:30:00.000Z'

/** One example for each scenario of the sandbox, chosen by the last three digits of the phone number. */
const scenarios: Record<string, [phone: string, summary: string]> = {
  created: ['+998901234567', 'Created at once'],
  processing: ['+998901234001', 'Processing, created after 2 s'],
  rejected: ['+998901234002', 'Rejected by FreedomPay'],
  connectionCut: ['+998901234003', 'Created, then the connection is cut'],
  createdSilently: ['+998901234004', 'Created, never answered (takes the partner time-out)'],
  neverAnswered: ['+998901234005', 'Not created, never answered (takes nearly the whole deadline)'],
  serverError: ['+998901234006', 'HTTP 500, not created'],
  html: ['+998901234007', 'Created, answered with HTML'],
  slowAnswer: ['+998901234008', 'Created, answered one byte at a time'],
  throttled: ['+998901234009', 'HTTP 429 once, then created'],
  processingForEver: ['+998901234010', 'Processing for ever'],
  credentialRefused: ['+998901234011', 'HTTP 401'],
  unknownWord: ['+998901234012', 'An undocumented word for an outcome'],
  failsLater: ['+998901234013', 'Processing, then rejected'],
}

const everyMember = {
  phone: '+998901234567',
  type: 'individual',
  resident: true,
  firstName: 'Alisher',
  lastName: 'Navoiy',
  middleName: 'Gʻiyosiddin',
  birthDate: '1990-02-28',
  email: 'alisher@example.com',
  country: 'UZB',
  personId: '12345678901234',
  language: 'uz',
  document: 'JVBERi0xLjQKJSVFT0YK',
  externalUserId: 'user-42',
  registrationAddress: {
    country: 'UZB',
    postalCode: '100000',
    city: 'Tashkent',
    street: 'Amir Temur',
    building: '12-34',
  },
  residentialAddress: { country: 'UZB', postalCode: '100000' },
  identification: { identifiedAt: '2026-01-31T09:30:00+05:00', identifiedBy: 'operator-7' },
}

const bodyExamples = {
  ...Object.fromEntries(
    Object.entries(scenarios).map(([name, [phone, summary]]) => [
      name,
      { summary, value: { phone, firstName: 'Alisher', lastName: 'Navoiy' } },
    ]),
  ),
  everyMember: { summary: 'Every member', value: everyMember },
}

const requestIdHeader = {
  'X-Request-Id': Type.String({
    description: 'The id of this HTTP request in the logs; the caller’s own where it is well-formed',
  }),
}
const retryAfterHeader = { 'Retry-After': Type.Integer({ description: 'Seconds' }) }

function problemAnswer(description: string, headers: object, examples: Record<string, object>) {
  return {
    description,
    headers: { ...requestIdHeader, ...headers },
    content: { 'application/problem+json': { schema: { $ref: 'Problem#' }, examples } },
  }
}

function toExample(code: ProblemCode, members: object = {}) {
  const { status, title, safeToRetry, happened } = problems[code]
  const value = { type: `/problems/${code}`, title, status, detail: happened, code, safeToRetry, ...members }
  return { summary: title, value }
}

/** The answers that a list of problem codes stands for, one for each status. */
export function problemAnswers(codes: ProblemCode[], members: Partial<Record<ProblemCode, object>> = {}) {
  const byStatus = Map.groupBy(codes, (code) => problems[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => {
      const examples = Object.fromEntries(group.map((code) => [code, toExample(code, members[code])]))
      const headers = status === 503 || status === 409 ? retryAfterHeader : {}
      return [status, problemAnswer(group.map((code) => problems[code].title).join('; or: '), headers, examples)]
    }),
  )
}

const pendingHeaders = {
  ...requestIdHeader,
  Location: Type.String({ description: '/clients/requests/{requestId}' }),
  'Preference-Applied': Type.String({ description: 'The preferences that were honoured' }),
}

export const createClientSchema = {
  operationId: 'createClient',
  summary: 'Create a card client at FreedomPay',
  description:
    'Answers 201 when FreedomPay has created the client, 202 when the outcome is not final yet, and a problem only where it is certain that no client was created.',
  tags: ['clients'],
  headers: Type.Object({
    prefer: Type.Optional(
      Type.String({
        description:
          '`respond-async`: answer as soon as FreedomPay has accepted. `wait=N`: wait up to N seconds for a final outcome',
        examples: ['wait=10'],
      }),
    ),
    'x-request-id': Type.Optional(
      Type.String({
        description: 'Your id of this HTTP request: 1 to 64 of A-Z a-z 0-9 . _ -; otherwise it is replaced',
      }),
    ),
    traceparent: Type.Optional(Type.String({ description: 'W3C trace context; its trace id is logged' })),
  }),
  body: { ...CreateClient, 'x-examples': bodyExamples },
  response: {
    201: {
      description: 'Created',
      headers: pendingHeaders,
      content: {
        'application/json': {
          schema: CreatedClient,
          examples: {
            created: {
              summary: 'Created',
              value: { requestId: exampleId, status: 'created', clientId: 'c-1', updatedAt: exampleTime },
            },
            createdWithoutId: {
              summary: 'Created, its id could not be learnt in time',
              value: { requestId: exampleId, status: 'created', updatedAt: exampleTime },
            },
          },
        },
      },
    },
    202: {
      description: 'Accepted; the outcome is not final yet. Look again at `Location` after `Retry-After`',
      headers: { ...pendingHeaders, ...retryAfterHeader },
      content: {
        'application/json': {
          schema: PendingClient,
          examples: {
            processing: {
              summary: 'FreedomPay is at work',
              value: { requestId: exampleId, status: 'processing', updatedAt: exampleTime },
            },
            unknown: {
              summary: 'Not known: FreedomPay may or may not have created the client',
              value: { requestId: exampleId, status: 'unknown', updatedAt: exampleTime },
            },
          },
        },
      },
    },
    ...problemAnswers(
      [
        'invalid-request',
        'body-too-large',
        'unsupported-media-type',
        'partner-rejected',
        'internal',
        'partner-misconfigured',
        'partner-unavailable',
        'overloaded',
      ],
      {
        'invalid-request': { errors: [{ pointer: '/phone', message: 'is required' }] },
        'partner-rejected': { requestId: exampleId, partner: { code: '1001', description: 'Wrong input' } },
        'partner-misconfigured': { requestId: exampleId },
        'partner-unavailable': { requestId: exampleId },
      },
    ),
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
      examples: [exampleId],
    }),
  }),
  response: {
    200: {
      description: 'What is known',
      headers: requestIdHeader,
      content: {
        'application/json': {
          schema: ClientRequest,
          examples: {
            created: {
              summary: 'Created',
              value: { requestId: exampleId, status: 'created', clientId: 'c-1', updatedAt: exampleTime },
            },
            rejected: {
              summary: 'Rejected',
              value: {
                requestId: exampleId,
                status: 'rejected',
                partner: { code: '1001', description: 'Wrong input' },
                updatedAt: exampleTime,
              },
            },
            processing: {
              summary: 'FreedomPay is at work',
              value: { requestId: exampleId, status: 'processing', updatedAt: exampleTime },
            },
          },
        },
      },
    },
    ...problemAnswers(['invalid-request', 'not-found', 'internal'], {
      'invalid-request': { errors: [{ pointer: 'requestId', message: 'must be a UUID' }] },
    }),
  },
}
