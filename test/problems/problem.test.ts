import t from 'tap'
import { type ProblemCode, problemCodes, problems } from '../../src/problems/catalogue.ts'
import { Problem, retryAfter, safeToRetryUnread, safeToRetryWith, toBody } from '../../src/problems/problem.ts'

/** The contract's table, written out: callers rely on it, so a change here is a change of the contract. */
const contract: [status: number, code: ProblemCode, safeToRetry: string][] = [
  [400, 'invalid-request', 'no'],
  [400, 'invalid-idempotency-key', 'no'],
  [401, 'unauthenticated', 'no'],
  [403, 'forbidden', 'no'],
  [404, 'not-found', 'no'],
  [405, 'method-not-allowed', 'no'],
  [409, 'request-in-progress', 'same-key-only'],
  [413, 'body-too-large', 'no'],
  [415, 'unsupported-media-type', 'no'],
  [422, 'idempotency-key-reused', 'no'],
  [422, 'partner-rejected', 'no'],
  [429, 'rate-limited', 'yes'],
  [500, 'internal', 'same-key-only'],
  [502, 'partner-misconfigured', 'yes'],
  [503, 'partner-unavailable', 'yes'],
  [503, 'overloaded', 'yes'],
  [503, 'ledger-unavailable', 'yes'],
]

t.test('the catalogue is the contract’s table', (t) => {
  t.strictSame(
    problemCodes.map((code) => [problems[code].status, code, problems[code].safeToRetry]),
    contract,
  )
  t.end()
})

t.test('a problem says what its code says, and what is given besides', (t) => {
  for (const [status, code, safeToRetry] of contract) {
    const { body } = new Problem(code)
    t.match(body, { type: `/problems/${code}`, title: problems[code].title, status, code, safeToRetry })
    t.equal(body.detail, problems[code].happened)
    t.strictSame(Object.keys(JSON.parse(JSON.stringify(body))), [
      'type',
      'title',
      'status',
      'detail',
      'code',
      'safeToRetry',
      ...(code === 'invalid-request' ? ['errors'] : []),
    ])
    t.strictSame(body.errors, code === 'invalid-request' ? [] : undefined)
  }
  const cause = new Error('why')
  const problem = new Problem('invalid-request', {
    status: 431,
    detail: 'too long',
    requestId: 'r-1',
    errors: [{ pointer: '/phone', message: 'is required' }],
    headers: { 'x-a': '1' },
    cause,
  })
  t.match(problem, { name: 'Problem', code: 'invalid-request', status: 431, headers: { 'x-a': '1' }, cause })
  t.match(problem.body, { status: 431, detail: 'too long', requestId: 'r-1', errors: [{ pointer: '/phone' }] })
  t.end()
})

t.test('Retry-After is in whole seconds, and never none', (t) => {
  t.strictSame(
    [0, 0.2, 1, 1.1].map((seconds) => retryAfter(seconds, () => 0)['retry-after']),
    ['1', '1', '1', '2'],
  )
  t.strictSame(
    [0.2, 1, 4].map((seconds) => retryAfter(seconds, () => 0.999)['retry-after']),
    ['1', '2', '6'],
    'up to half as long again',
  )
  t.strictSame(
    [200, 201, 300, 400].map((seconds) => retryAfter(seconds, () => 1)['retry-after']),
    ['300', '300', '300', '300'],
    'at most 5 minutes, however much longer',
  )
  t.end()
})

t.test('the address of a page has the base path of every other route', (t) => {
  const problem = new Problem('not-found')
  t.equal(toBody(problem, '/payments').type, '/payments/problems/not-found')
  t.strictSame({ ...toBody(problem, '/payments'), type: '/problems/not-found' }, problem.body)
  t.equal(toBody(problem, '').type, '/problems/not-found')
  t.end()
})

t.test('a key may have been tried before, so only the same one is safe', (t) => {
  t.equal(safeToRetryWith(undefined), 'yes')
  t.equal(safeToRetryWith('key'), 'same-key-only')
  t.equal(safeToRetryUnread({ 'idempotency-key': 'key' }), 'same-key-only')
  t.equal(safeToRetryUnread({ 'x-request-id': 'a' }), 'yes')
  t.end()
})

t.test('Retry-After differs from caller to caller', (t) => {
  const told = new Set(Array.from({ length: 100 }, () => retryAfter(100)['retry-after']))
  t.ok(told.size > 1)
  for (const seconds of told) t.ok(Number(seconds) >= 100 && Number(seconds) <= 150)
  t.end()
})
