import fc from 'fast-check'
import t from 'tap'
import type { Exchange, ExchangeFailure } from '../../src/partner/exchange.ts'
import { classify, type Outcome } from '../../src/partner/outcome.ts'
import type { Operation } from '../../src/partner/schema.ts'
import { checkProperty } from '../fixtures/property.ts'

const codes = { duplicate: new Set(['1002', 'DUPLICATE']), notFound: new Set(['1006']) }
const dt = '2026-01-31T09:30:00Z'
const operations: Operation[] = ['add', 'status']

function answered(body: unknown, statusCode = 200, retryAfter?: string): Exchange {
  return { kind: 'answered', statusCode, retryAfter, body: typeof body === 'string' ? body : JSON.stringify(body) }
}

interface Row {
  name: string
  answer: Exchange
  add: Outcome
  /** Where the answer to a question means something else than the answer to a create. */
  status?: Outcome
}

const missing = drift('a member is missing or of another type')

function drift(what: string): Outcome {
  return { kind: 'unknown', result: 'drift', drift: what }
}

/** To a question, the same error may be about the question alone. */
function toQuestion(outcome: Outcome): Outcome {
  return outcome.kind === 'rejected' ? { ...outcome, mayConcernQuestion: true } : outcome
}

function rejected(code?: string, description?: string): Outcome {
  return { kind: 'rejected', result: 'rejected', partner: { code, description } }
}

const success = { status: 'ok', request_status: 'success', dt }
const failure = { status: 'error', request_status: 'error', dt }

const rows: Row[] = [
  {
    name: 'ok and success is created',
    answer: answered(success),
    add: { kind: 'created', result: 'ok', clientId: undefined },
  },
  {
    name: 'ok and success with the id of the client is created, with the id',
    answer: answered({ ...success, client_id: '100500', cards: [{ card_id: 'c' }] }),
    add: { kind: 'created', result: 'ok', clientId: '100500' },
  },
  {
    name: 'an empty id is no id',
    answer: answered({ ...success, client_id: '' }),
    add: drift('client_id is no id'),
  },
  ...[' ', '   ', '\t', 'a'.repeat(129), 'a\u0000b', 'a\nb', '\ud800', 2 ** 53].map((clientId) => ({
    name: `the client_id ${JSON.stringify(clientId).slice(0, 20)} is no id`,
    answer: answered({ ...success, client_id: clientId }),
    add: drift('client_id is no id'),
  })),
  ...['a'.repeat(128), 'a b', 'ы'].map((clientId) => ({
    name: `the client_id ${clientId.slice(0, 20)} is an id`,
    answer: answered({ ...success, client_id: clientId }),
    add: { kind: 'created', result: 'ok', clientId } satisfies Outcome,
  })),
  {
    name: 'the largest safe integer is an id',
    answer: answered({ ...success, client_id: Number.MAX_SAFE_INTEGER }),
    add: { kind: 'created', result: 'ok', clientId: '9007199254740991' },
  },
  {
    name: 'a member that is null is one that is absent',
    answer: answered({ ...success, dt: null, client_id: null, cards: null, error_code: null, error_description: null }),
    add: { kind: 'created', result: 'ok', clientId: undefined },
  },
  {
    name: 'a refusal may say null instead of why',
    answer: answered({ ...failure, client_id: null, cards: null, error_code: null, error_description: null }),
    add: rejected(),
  },
  {
    name: 'a request_status that is null decides nothing',
    answer: answered({ status: 'error', request_status: null }),
    add: missing,
  },
  {
    name: 'members that nobody has documented change nothing',
    answer: answered({ ...success, error_code: 0, note: null, __proto__: null }),
    add: { kind: 'created', result: 'ok', clientId: undefined },
  },
  {
    name: 'a time that is missing or in another form changes nothing',
    answer: answered({ status: 'ok', request_status: 'process', dt: 'today' }),
    add: { kind: 'processing', result: 'ok' },
  },
  {
    name: 'ok and process is processing',
    answer: answered({ status: 'ok', request_status: 'process', dt }),
    add: { kind: 'processing', result: 'ok' },
  },
  { name: 'error without a code is a refusal', answer: answered(failure), add: rejected() },
  {
    name: 'error with a code and a description is a refusal that says why',
    answer: answered({ ...failure, error_code: '1001', error_description: 'Wrong input' }),
    add: rejected('1001', 'Wrong input'),
  },
  {
    name: 'a code that is a number is the same code',
    answer: answered({ ...failure, error_code: 1001 }),
    add: rejected('1001'),
  },
  {
    name: 'an empty code and an empty description are none',
    answer: answered({ ...failure, error_code: '', error_description: '' }),
    add: rejected(),
  },
  {
    name: 'a description is well-formed, whatever came',
    answer: answered({ ...failure, error_code: '1001', error_description: 'a\ud800b' }),
    add: rejected('1001', 'a\ufffdb'),
  },
  ...['x'.repeat(17), '998901234567', '12345', 'A12345', 'ID-12345', 'Иван', 'a b', '1001\n', "O'Neil"].map((code) => ({
    name: `the code ${JSON.stringify(code)} may be personal data, and is dropped`,
    answer: answered({ ...failure, error_code: code }),
    add: rejected(),
  })),
  ...['x'.repeat(16), 'E-10.01_a', '1234', 'A1234B5678'].map((code) => ({
    name: `the code ${code} is a code`,
    answer: answered({ ...failure, error_code: code }),
    add: rejected(code),
  })),
  {
    name: 'error without a request_status refuses a create, and says nothing of an earlier one',
    answer: answered({ status: 'error', dt, error_code: '1001' }),
    add: rejected('1001'),
    status: drift('status "error" without request_status'),
  },
  {
    name: 'ok and error is the failure of an earlier request, and as the answer to a create a contradiction',
    answer: answered({ status: 'ok', request_status: 'error', dt, error_code: '1001', error_description: 'No' }),
    add: drift('status "ok" with request_status "error"'),
    status: { kind: 'rejected', result: 'ok', partner: { code: '1001', description: 'No' } },
  },
  {
    name: 'the code for a repeated request_id says that there is an earlier request',
    answer: answered({ ...failure, error_code: 1002 }),
    add: { kind: 'duplicate', result: 'rejected' },
  },
  {
    name: 'each code of the setting for a repeated request_id counts',
    answer: answered({ status: 'error', error_code: 'DUPLICATE' }),
    add: { kind: 'duplicate', result: 'rejected' },
  },
  {
    name: 'the code for an unknown request_id is an answer to a question; a create it refuses',
    answer: answered({ ...failure, error_code: '1006' }),
    add: rejected('1006'),
    status: { kind: 'no-such-request', result: 'rejected' },
  },
  {
    name: 'the code for an unknown request_id needs no request_status',
    answer: answered({ status: 'error', error_code: 1006 }),
    add: rejected('1006'),
    status: { kind: 'no-such-request', result: 'rejected' },
  },
  {
    name: 'error and success contradict each other',
    answer: answered({ status: 'error', request_status: 'success', dt }),
    add: drift('status "error" with request_status "success"'),
  },
  {
    name: 'error and process contradict each other, whatever the code',
    answer: answered({ status: 'error', request_status: 'process', dt, error_code: '1006' }),
    add: drift('status "error" with request_status "process"'),
  },
  {
    name: 'ok without request_status is not known',
    answer: answered({ status: 'ok', dt }),
    add: drift('status "ok" with request_status missing'),
  },
  {
    name: 'a request_status that we do not know is not known',
    answer: answered({ status: 'ok', request_status: 'in_review', dt }),
    add: drift('status "ok" with request_status unreadable'),
  },
  {
    name: 'a known word in capitals is another word',
    answer: answered({ status: 'ok', request_status: 'SUCCESS', dt }),
    add: drift('status "ok" with request_status unreadable'),
  },
  {
    name: 'a word that stands for another member is repeated, as it is no personal data',
    answer: answered({ status: 'ok', request_status: 'ok', dt }),
    add: drift('status "ok" with request_status "ok"'),
  },
  {
    name: 'a status that we do not know is not known',
    answer: answered({ status: 'failed', request_status: 'error', dt }),
    add: drift('status unreadable'),
  },
  {
    name: 'a word that might be personal data is not repeated',
    answer: answered({ status: '+998901234567', request_status: 'success', dt }),
    add: drift('status unreadable'),
  },
  {
    name: 'a word that is too long is not repeated',
    answer: answered({ status: 'ok', request_status: 'a'.repeat(33), dt }),
    add: drift('status "ok" with request_status unreadable'),
  },
  { name: 'a missing status is not known', answer: answered({ request_status: 'success', dt }), add: missing },
  { name: 'a status of another type is not known', answer: answered({ ...success, status: 1 }), add: missing },
  {
    name: 'a request_status of another type is not known',
    answer: answered({ status: 'ok', request_status: true }),
    add: missing,
  },
  { name: 'an id of another type is not known', answer: answered({ ...success, client_id: true }), add: missing },
  {
    name: 'a number may be an id',
    answer: answered({ ...success, client_id: 100500 }),
    add: { kind: 'created', result: 'ok', clientId: '100500' },
  },
  {
    name: 'members that nobody uses do not hide an outcome',
    answer: answered({ ...success, cards: 'none', dt: 5 }),
    add: { kind: 'created', result: 'ok', clientId: undefined },
  },
  { name: 'an empty object is not known', answer: answered({}), add: missing },
  { name: 'an array is not known', answer: answered([success]), add: missing },
  { name: 'null is not known', answer: answered('null'), add: missing },
  { name: 'a JSON string is not known', answer: answered('"ok"'), add: missing },
  {
    name: 'HTTP 401 is a credential that is refused',
    answer: answered(success, 401),
    add: { kind: 'misconfigured', result: 'http_4xx', statusCode: 401 },
  },
  {
    name: 'HTTP 403 is a credential that is refused',
    answer: answered('', 403),
    add: { kind: 'misconfigured', result: 'http_4xx', statusCode: 403 },
  },
  {
    name: 'HTTP 429 is a refusal for now',
    answer: answered('', 429, '7'),
    add: { kind: 'throttled', result: 'http_4xx', retryAfter: '7' },
  },
  {
    name: 'HTTP 429 need not say for how long',
    answer: answered(success, 429),
    add: { kind: 'throttled', result: 'http_4xx', retryAfter: undefined },
  },
  {
    name: 'HTTP 404 answers a question, and says nothing of a create',
    answer: answered('{}', 404),
    add: { kind: 'unknown', result: 'http_4xx', statusCode: 404 },
    status: { kind: 'no-such-request', result: 'http_4xx' },
  },
  ...['', '<html>Not found</html>', '[]', 'null', '"x"', '404'].map((body) => ({
    name: `HTTP 404 with the body ${JSON.stringify(body)} is a gateway's, and answers nothing`,
    answer: answered(body, 404),
    add: { kind: 'unknown', result: 'http_4xx', statusCode: 404 } satisfies Outcome,
  })),
  ...[400, 402, 405, 408, 409, 413, 422, 425, 499].map((statusCode) => ({
    name: `HTTP ${statusCode} is not known, whatever the body says`,
    answer: answered(failure, statusCode),
    add: { kind: 'unknown', result: 'http_4xx', statusCode } satisfies Outcome,
  })),
  ...[500, 502, 503, 504, 599].map((statusCode) => ({
    name: `HTTP ${statusCode} is not known, whatever the body says`,
    answer: answered(failure, statusCode, '1'),
    add: { kind: 'unknown', result: 'http_5xx', statusCode } satisfies Outcome,
  })),
  ...[201, 202, 204, 206, 301, 302, 304, 307].map((statusCode) => ({
    name: `HTTP ${statusCode} is not known, whatever the body says`,
    answer: answered(success, statusCode),
    add: { kind: 'unknown', result: 'drift', statusCode } satisfies Outcome,
  })),
]

for (const { name, answer, add, status = toQuestion(add) } of rows) {
  t.test(name, async (t) => {
    t.strictSame(classify('add', answer, codes), add, 'as the answer to a create')
    t.strictSame(classify('status', answer, codes), status, 'as the answer to a question')
  })
}

t.test('a body that cannot be read is not known', async (t) => {
  for (const body of ['', '<!doctype html>', '{"status":"ok","request_status":"success"', '\ufeff{}', '{} {}', 'ok']) {
    for (const operation of operations) {
      t.match(classify(operation, answered(body), codes), { kind: 'unknown', result: 'bad_body', cause: SyntaxError })
    }
  }
})

const reasons: ExchangeFailure[] = ['timeout', 'reset', 'refused', 'dns', 'tls', 'bad_body']

for (const reason of reasons) {
  t.test(`a failure by ${reason} is certain before sending and not known after it`, async (t) => {
    const cause = new Error('why')
    for (const operation of operations) {
      const failed = (sent: boolean): Exchange => ({ kind: 'failed', sent, reason, cause })
      t.strictSame(classify(operation, failed(false), codes), { kind: 'not-sent', result: reason, cause })
      t.strictSame(classify(operation, failed(true), codes), { kind: 'unknown', result: reason, cause })
    }
  })
}

t.test('a call that our own deadline cut stays told apart from a sick partner', async (t) => {
  for (const sent of [true, false]) {
    const cut: Exchange = { kind: 'failed', sent, reason: 'timeout', cause: undefined, isOurDoing: true }
    t.match(classify('add', cut, codes), { result: 'timeout', isOurDoing: true })
  }
})

t.test('without codes in the settings nothing is a duplicate and nothing is unknown to the partner', async (t) => {
  const none = { duplicate: new Set<string>(), notFound: new Set<string>() }
  for (const code of ['', '1002', '1006']) {
    const answer = answered({ ...failure, error_code: code })
    for (const operation of operations) t.match(classify(operation, answer, none), { kind: 'rejected' })
  }
})

const definiteFailures = new Set<Outcome['kind']>([
  'rejected',
  'no-such-request',
  'not-sent',
  'misconfigured',
  'throttled',
])

const operation = fc.constantFrom(...operations)
const anyWord = fc.oneof(
  fc.constantFrom('ok', 'error', 'success', 'process', 'OK', 'failed', 'in_review', '', '1'),
  fc.string(),
)
/** Bodies near the documented ones, where every member may be missing, strange or of another type. */
const anyAnswer = fc.oneof(
  fc.record(
    {
      status: fc.oneof({ weight: 8, arbitrary: anyWord }, { weight: 1, arbitrary: fc.jsonValue() }),
      request_status: fc.oneof({ weight: 8, arbitrary: anyWord }, { weight: 1, arbitrary: fc.jsonValue() }),
      dt: fc.oneof(fc.constant(dt), fc.jsonValue()),
      client_id: fc.oneof(fc.string(), fc.jsonValue()),
      error_code: fc.oneof(fc.constantFrom('1001', '1002', '1006', 1002, 1006), fc.jsonValue()),
      error_description: fc.oneof(fc.string(), fc.jsonValue()),
    },
    { requiredKeys: [] },
  ),
  fc.jsonValue(),
)
const anyBody = fc.oneof(
  anyAnswer.map((answer) => JSON.stringify(answer)),
  fc.string(),
)
const retryAfter = fc.option(fc.string(), { nil: undefined })

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

t.test('what is not known is never called a failure, nor a success', async (t) => {
  const decisive = [200, 401, 403, 404, 429]
  const statusCode = fc.integer({ min: 200, max: 599 }).filter((code) => !decisive.includes(code))
  const ambiguous: fc.Arbitrary<[Operation, Exchange]> = fc.oneof(
    fc.tuple(
      operation,
      fc.record({
        kind: fc.constant('failed' as const),
        sent: fc.constant(true),
        reason: fc.constantFrom(...reasons),
        cause: fc.anything(),
      }),
    ),
    fc.tuple(operation, fc.record({ kind: fc.constant('answered' as const), statusCode, retryAfter, body: anyBody })),
    fc.tuple(
      fc.constant('add' as const),
      fc.record({ kind: fc.constant('answered' as const), statusCode: fc.constant(404), retryAfter, body: anyBody }),
    ),
    fc.tuple(
      operation,
      fc.record({
        kind: fc.constant('answered' as const),
        statusCode: fc.constant(200),
        retryAfter,
        body: fc.oneof(
          anyBody.filter((body) => !isJson(body)),
          anyAnswer.map((answer) => JSON.stringify(answer)?.slice(0, -1) ?? '').filter((body) => !isJson(body)),
        ),
      }),
    ),
  )
  checkProperty(
    t,
    fc.property(ambiguous, ([operation, exchange]) => classify(operation, exchange, codes).kind === 'unknown'),
    2000,
  )
})

t.test('only the words of the documentation decide anything', async (t) => {
  checkProperty(
    t,
    fc.property(operation, anyAnswer, (operation, answer) => {
      const { kind } = classify(operation, answered(answer), codes)
      const { status, request_status: said } = Object(answer)
      switch (kind) {
        case 'created':
          return status === 'ok' && said === 'success'
        case 'processing':
          return status === 'ok' && said === 'process'
        case 'duplicate':
          return status === 'error' && (said === 'error' || said === undefined)
        case 'rejected':
          if (operation === 'add') return status === 'error' && (said === 'error' || said === undefined)
          return said === 'error' && (status === 'error' || status === 'ok')
        case 'no-such-request':
          return operation === 'status' && status === 'error' && (said === 'error' || said === undefined)
        default:
          return kind === 'unknown'
      }
    }),
    2000,
  )
})

t.test(
  'whatever an answer is, created needs HTTP 200, ok and success, and a failure needs a reason to be one',
  async (t) => {
    const exchange: fc.Arbitrary<Exchange> = fc.record({
      kind: fc.constant('answered' as const),
      statusCode: fc.integer({ min: 200, max: 599 }),
      retryAfter,
      body: anyBody,
    })
    checkProperty(
      t,
      fc.property(operation, exchange, (operation, exchange) => {
        const { kind } = classify(operation, exchange, codes)
        if (exchange.kind !== 'answered') return false
        const { statusCode, body } = exchange
        if (kind === 'created') return statusCode === 200 && /"ok"/.test(body) && /"success"/.test(body)
        if (!definiteFailures.has(kind)) return true
        return [401, 403, 404, 429].includes(statusCode) || (statusCode === 200 && /"error"/.test(body))
      }),
      2000,
    )
  },
)
