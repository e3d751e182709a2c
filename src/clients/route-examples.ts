/** The named examples of OpenAPI. Swagger UI shows the examples and fills in the first. */
import { type ProblemExamples, toProblemExample } from '../problems/answers.ts'
import type { ProblemCode } from '../problems/catalogue.ts'
import type { InputError } from '../problems/problem.ts'
import type { ClientRequest, CreateClient, CreatedClient, PendingClient } from './body/schema.ts'

interface Example<T> {
  readonly summary: string
  readonly value: T
}
type Examples<T> = Record<string, Example<T>>

export const exampleRequestId = '0b9f5c1e-6d0c-5f0e-9d86-1c6a3f4b2a10'
const requestId = exampleRequestId
const clientId = '7d1f0a52-3c9e-4b8a-9f61-2e5d8c7b4a90'
const updatedAt = '2026-01-31T04:30:00.000Z'
const partner = { code: '1001', description: 'The client was refused (sandbox)' }

/** One example for each scenario of the sandbox, with the final status; durations hold for the default settings. */
const scenarios: Record<string, [phone: string, summary: string]> = {
  created: ['+998901234567', '201: created at once'],
  processing: ['+998901234001', '201: processing, created after 2 s'],
  rejected: ['+998901234002', '422: rejected'],
  connectionCut: ['+998901234003', '201: created, then the connection is cut'],
  createdSilently: ['+998901234004', '201: created, but never answered (15 s)'],
  neverAnswered: ['+998901234005', '202: never answered, not created (25 s)'],
  serverError: ['+998901234006', '202: HTTP 500, not created (25 s)'],
  html: ['+998901234007', '201: created, answered with HTML'],
  slowAnswer: ['+998901234008', '201: created, answered one byte at a time (15 s)'],
  throttled: ['+998901234009', '201: HTTP 429 once, then created'],
  processingForEver: ['+998901234010', '202: processing for ever (5 s)'],
  credentialRefused: ['+998901234011', '502: the credential is refused'],
  unknownWord: ['+998901234012', '202: an undocumented word for the outcome (25 s)'],
  failsLater: ['+998901234013', '422: processing, then rejected'],
  registeredLate: ['+998901234014', '201: HTTP 502, registered 8 s later'],
  doubtfulError: ['+998901234015', '201: processing, one doubtful error, then created'],
  gatewayPage: ['+998901234016', '201: created, the connection is cut, a gateway hides the status for 2 s'],
  unreadableId: ['+998901234017', '201: created, its id cannot be read (25 s)'],
}

const everyMember: CreateClient = {
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

/** Swagger UI fills in the first example. */
export const bodyExamples: Examples<CreateClient> = {
  ...Object.fromEntries(
    Object.entries(scenarios).map(([name, [phone, summary]]) => [
      name,
      { summary, value: { phone, firstName: 'Alisher', lastName: 'Navoiy' } },
    ]),
  ),
  everyMember: { summary: '201: every member, but for the product and the branch', value: everyMember },
}

export const createdExamples = {
  created: { summary: 'Created', value: { requestId, status: 'created', clientId, updatedAt } },
  createdWithoutId: {
    summary: 'Created, but its id could not be learnt in time',
    value: { requestId, status: 'created', updatedAt },
  },
} as const satisfies Examples<CreatedClient>

export const pendingExamples = {
  processing: { summary: 'FreedomPay is at work', value: { requestId, status: 'processing', updatedAt } },
  unknown: {
    summary: 'Not known: FreedomPay may or may not have created the client',
    value: { requestId, status: 'unknown', updatedAt },
  },
} as const satisfies Examples<PendingClient>

export const requestExamples: Examples<ClientRequest> = {
  ...createdExamples,
  ...pendingExamples,
  rejected: { summary: 'Rejected by FreedomPay', value: { requestId, status: 'rejected', partner, updatedAt } },
  notCreated: { summary: 'FreedomPay did not take it', value: { requestId, status: 'not-created', updatedAt } },
}

function invalid(summary: string, errors: InputError[]) {
  return toProblemExample('invalid-request', { errors }, summary)
}

/** Only problems whose examples need members that the catalogue does not have. */
export const problemExamples: ProblemExamples = {
  'invalid-request': {
    missing: invalid('A required member is missing', [{ pointer: '/phone', message: 'is required' }]),
    severalFaults: invalid('Every fault is named at once', [
      { pointer: '/phone', message: 'must be a phone number in E.164 form, such as +998901234567' },
      {
        pointer: '/registrationAddress/country',
        message: 'must be an ISO 3166-1 alpha-3 code that exists, in upper case, such as UZB',
      },
      { pointer: '/nickname', message: 'is not a member of this contract; remove it' },
    ]),
    malformedJson: invalid('The body is no JSON', [
      { pointer: '', message: 'must be a JSON object; unreadable at character 9' },
    ]),
  },
  ...toExamples('request-in-progress', { requestId }),
  ...toExamples('idempotency-key-reused', { requestId }),
  ...toExamples('partner-rejected', { requestId, partner }),
  ...toExamples('partner-misconfigured', { requestId }),
  ...toExamples('partner-unavailable', { requestId }),
}

export const readRequestProblemExamples: ProblemExamples = {
  'invalid-request': {
    noUuid: invalid('The identifier is no UUID', [{ pointer: 'requestId', message: 'must be a UUID' }]),
  },
}

function toExamples(code: ProblemCode, members: object): ProblemExamples {
  return { [code]: { [code]: toProblemExample(code, members) } }
}
