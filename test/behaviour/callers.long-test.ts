import { hash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { readProblem, sendRaw } from '../fixtures/raw-http.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'
import { call, phoneFor, startTestService, type TestService } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

const lines = (callers: Record<string, string>) =>
  Object.entries(callers)
    .map(([key, caller]) => `${caller}:${hash('sha256', key)}\n`)
    .join('')
const keyOf = (caller: string) => `fpc_canary-key-of-${caller}`
const as = (caller: string, headers: Record<string, string> = {}) => ({
  authorization: `Bearer ${keyOf(caller)}`,
  ...headers,
})
const body = { phone: phoneFor('567') }

async function start(t: Test, settings: Record<string, string> = {}): Promise<TestService> {
  const folder = t.testdir({ keys: lines({ [keyOf('billing')]: 'billing', [keyOf('shop')]: 'shop' }) })
  return startTestService(t, {
    settings: { AUTH: 'api-key', API_KEYS_FILE: join(folder, 'keys'), ...settings },
    level: 'trace',
  })
}

t.test('two callers may use one key, and neither sees the other’s request', async (t) => {
  const service = await start(t)
  const order = { 'idempotency-key': 'order-17' }
  const first = await service.create(body, as('billing', order))
  const second = await service.create({ phone: phoneFor('568') }, as('shop', order))
  t.equal(first.statusCode, 201)
  t.equal(second.statusCode, 201, 'and not a key that came before with another body')
  t.equal(second.headers['idempotency-status'], 'new')
  t.not(first.body.requestId, second.body.requestId)
  t.not(first.body.clientId, second.body.clientId)

  const path = `/clients/requests/${first.body.requestId}`
  t.equal((await service.get(path, as('billing'))).statusCode, 200)
  const unseen = await service.get(path, as('shop'))
  const absent = await service.get('/clients/requests/7d1f0a52-3c9e-4b8a-9f61-2e5d8c7b4a90', as('shop'))
  readProblem(t, unseen, 404, 'not-found')
  t.strictSame(unseen.body, absent.body, 'another’s request is like none')
  t.equal((await service.get(path)).statusCode, 401)
})

t.test('a request without a good key reaches neither the ledger nor the partner, whatever else it says', async (t) => {
  const service = await start(t)
  const key = keyOf('billing')
  const wrong = [
    {},
    { authorization: `Bearer ${key.slice(0, -1)}` },
    { authorization: `Bearer ${key.toUpperCase()}` },
    { authorization: `Basic ${Buffer.from(`billing:${key}`).toString('base64')}` },
    {
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-user': 'billing',
      'x-caller': 'billing',
      'user-agent': 'kube-probe',
    },
    { cookie: `key=${key}` },
  ]
  for (const headers of wrong) {
    const answer = await service.create(body, headers as Record<string, string>)
    readProblem(t, answer, 401, 'unauthenticated')
    t.match(answer.headers['www-authenticate'], /^Bearer realm="freedompay-clients"/)
  }
  const malformed = await call(`${service.url}/clients`, 'POST', { 'content-type': 'text/plain' }, '{')
  t.equal(malformed.statusCode, 401, 'who is asking comes before what is asked')
  t.equal(service.received.length, 0)
  const metrics = await service.metrics()
  t.equal(metrics.get('ledger_unresolved'), 0)
  t.notOk(
    [...metrics.keys()].some((name) => name.startsWith('caller_requests_total')),
    'nobody is counted',
  )
})

t.test('documents are for everybody', async (t) => {
  const service = await start(t)
  for (const path of ['/docs', '/docs/static/index.css', '/openapi.json', '/problems', '/problems/unauthenticated']) {
    t.equal((await service.get(path)).statusCode, 200, path)
  }
})

t.test('the document names the credential that the service wants, and where', async (t) => {
  const service = await start(t)
  const { body: document } = await service.get('/openapi.json')
  t.match(document.components.securitySchemes, { caller: { type: 'http', scheme: 'bearer' } })
  t.strictSame(document.paths['/clients'].post.security, [{ caller: [] }])
  t.strictSame(document.paths['/clients/requests/{requestId}'].get.security, [{ caller: [] }])
  t.equal(document.paths['/problems'].get.security, undefined)
  t.strictSame(document.security, [{}])
})

t.test('every line of a request names its caller, and callers are counted by how their requests ended', async (t) => {
  const service = await start(t)
  await service.create(body, as('billing'))
  await service.create({ phone: 1 }, as('billing'))
  await service.create({ phone: phoneFor('011') }, as('shop'))
  await until(
    () => service.logs.filter(({ msg }) => msg === 'request').length,
    (count) => count === 3,
  )
  const ofCallers = service.logs.filter(({ reqId }) => reqId !== undefined)
  t.ok(ofCallers.length > 3, 'failures have lines of their own')
  for (const { caller } of ofCallers) t.match(caller, /^(billing|shop)$/)
  const metrics = await service.metrics()
  const count = (caller: string, outcome: string) =>
    metrics.get(`caller_requests_total{caller="${caller}",outcome="${outcome}"}`)
  t.equal(count('billing', 'ok'), 1)
  t.equal(count('billing', 'invalid'), 1)
  t.equal(count('shop', 'failed'), 1)
})

t.test('a key that is rotated under load fails no request', async (t) => {
  const folder = t.testdir({ keys: lines({ [keyOf('billing')]: 'billing' }) })
  const file = join(folder, 'keys')
  const service = await startTestService(t, { settings: { AUTH: 'api-key', API_KEYS_FILE: file } })
  const failed: number[] = []
  let isOver = false
  let key = keyOf('billing')
  const load = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const { statusCode } = await service.create(body, { authorization: `Bearer ${key}` })
      if (statusCode !== 201) failed.push(statusCode)
    }
  })
  writeFileSync(file, lines({ [keyOf('billing')]: 'billing', [keyOf('new')]: 'billing' }))
  const isNewTaken = async () =>
    (await service.get('/clients/requests/x', { authorization: `Bearer ${keyOf('new')}` })).statusCode !== 401
  await until(isNewTaken, Boolean)
  key = keyOf('new')
  const from = (await service.metrics()).get('caller_requests_total{caller="billing",outcome="ok"}') ?? 0
  await until(
    async () => (await service.metrics()).get('caller_requests_total{caller="billing",outcome="ok"}') ?? 0,
    (count) => count > from + 20,
  )
  isOver = true
  await Promise.all(load)
  t.strictSame(failed, [])
  const metrics = await service.metrics()
  t.equal(metrics.get('secret_read_failed{secret="API_KEYS_FILE"}'), 0)
  t.ok((metrics.get('secret_read_timestamp_seconds{secret="API_KEYS_FILE"}') ?? 0) > 1_700_000_000)
})

t.test('a caller that sends too much is told how long to wait, and others are not', async (t) => {
  const service = await start(t, { CALLER_RATE_PER_MINUTE: '3' })
  for (const remaining of ['2', '1', '0']) {
    const { statusCode, headers } = await service.create(body, as('billing'))
    t.equal(statusCode, 201)
    t.match(headers, { 'ratelimit-limit': '3', 'ratelimit-remaining': remaining, 'ratelimit-reset': /^\d+$/ })
  }
  const sentBefore = service.received.length
  const malformed = { 'content-type': 'text/plain', authorization: `Bearer ${keyOf('shop')}` }
  const unread = await call(`${service.url}/clients`, 'POST', malformed, '{}')
  t.equal(unread.statusCode, 415)
  t.equal(unread.headers['ratelimit-remaining'], '2', 'what is refused at sight counts as well')
  const refused = await service.create(body, as('billing'))
  t.equal(readProblem(t, refused, 429, 'rate-limited').safeToRetry, 'yes')
  t.match(refused.headers, { 'ratelimit-limit': '3', 'ratelimit-remaining': '0', 'retry-after': /^[1-9]\d*$/ })
  const withKey = await service.create(body, as('billing', { 'idempotency-key': 'k' }))
  t.equal(readProblem(t, withKey, 429, 'rate-limited').safeToRetry, 'same-key-only')
  const lookUp = await service.get('/clients/requests/7d1f0a52-3c9e-4b8a-9f61-2e5d8c7b4a90', as('billing'))
  t.equal(lookUp.statusCode, 429, 'look-ups count as well')
  t.equal(service.received.length, sentBefore)
  t.equal((await service.create(body, as('shop'))).statusCode, 201, 'another caller')
  t.equal((await service.get('/problems')).statusCode, 200, 'pages are not counted')
  t.equal((await service.create(body)).statusCode, 401, 'and who is nobody uses up nothing')
  const metrics = await service.metrics()
  t.equal(metrics.get('caller_requests_total{caller="billing",outcome="rate_limited"}'), 3)
})

const redisOptions = { skip: skipRedis }
t.test('replicas with one Redis share the limit, and each goes on alone without it', redisOptions, async (t) => {
  const redis = await startRedis(t, { onDisk: false })
  const settings = {
    CALLER_RATE_PER_MINUTE: '4',
    LEDGER_URL: redis.url,
    LEDGER_KEY: 'ledger-key-of-the-test-with-32-bytes',
  }
  const replicas = [await start(t, settings), await start(t, settings)]
  const [first, second] = replicas as [TestService, TestService]
  const lookUp = ({ get }: TestService, caller = 'billing') =>
    get('/clients/requests/7d1f0a52-3c9e-4b8a-9f61-2e5d8c7b4a90', as(caller))
  for (const [service, remaining] of [
    [first, '3'],
    [second, '2'],
    [first, '1'],
    [second, '0'],
  ] as const) {
    const { statusCode, headers } = await lookUp(service)
    t.equal(statusCode, 404)
    t.equal(headers['ratelimit-remaining'], remaining)
  }
  for (const service of replicas) {
    const refused = await lookUp(service)
    readProblem(t, refused, 429, 'rate-limited')
    t.match(refused.headers, { 'retry-after': /^[1-9]\d?$/, 'ratelimit-reset': refused.headers['retry-after'] })
  }
  t.equal((await lookUp(first, 'shop')).headers['ratelimit-remaining'], '3', 'another caller')

  await redis.kill()
  const alone = await until(
    () => lookUp(first, 'shop'),
    ({ statusCode }) => statusCode === 503,
  )
  t.match(alone.headers, { 'ratelimit-limit': '4', 'ratelimit-reset': /^[1-9]\d?$/ })
  readProblem(t, await lookUp(first), 503, 'ledger-unavailable')
  readProblem(t, await lookUp(first), 429, 'rate-limited')
})

t.test('where keys are required, a create without one is a 400 that says why, and reads are as ever', async (t) => {
  const service = await startTestService(t, { settings: { IDEMPOTENCY_KEY: 'required' } })
  const refused = readProblem(t, await service.create(body), 400, 'invalid-request')
  t.match(refused.errors, [{ pointer: 'idempotency-key', message: /is required/ }])
  t.equal(service.received.length, 0)
  const created = await service.create(body, { 'idempotency-key': 'k' })
  t.equal(created.statusCode, 201)
  t.equal((await service.get(`/clients/requests/${created.body.requestId}`)).statusCode, 200)
  t.equal((await service.metrics()).get('clients_create_total{outcome="invalid"}'), 1)
  const { parameters } = (await service.get('/openapi.json')).body.paths['/clients'].post
  const isRequired = (name: string) =>
    parameters.find((parameter: { name: string }) => parameter.name === name).required
  t.equal(isRequired('Idempotency-Key'), true)
  t.notOk(isRequired('Prefer'))
})

t.test('no key, good or bad, is in any line, metric, answer, page or ledger', async (t) => {
  const ledger = join(t.testdir({}), 'ledger.db')
  const service = await start(t, {
    CALLER_RATE_PER_MINUTE: '20',
    LEDGER_URL: `sqlite:${ledger}`,
    LEDGER_KEY: 'ledger-key-of-the-test-with-32-bytes',
  })
  const said: string[] = []
  const bad = 'fpc_canary-bad'
  for (const scenario of ['567', '001', '002', '003', '006', '011', '012']) {
    said.push((await service.create({ phone: phoneFor(scenario) }, as('billing', { 'idempotency-key': 'k' }))).text)
  }
  for (const authorization of [`Bearer ${bad}`, `Basic ${bad}`, bad, `Bearer ${bad} ${bad}`]) {
    const { text, headers } = await service.create(body, { authorization })
    said.push(text, JSON.stringify(headers))
  }
  for (let i = 0; i < 21; i++) said.push((await service.get('/clients/requests/x', as('shop'))).text)
  for (const path of ['/docs', '/openapi.json', '/problems']) said.push((await service.get(path, as('shop'))).text)
  said.push((await call(`${service.opsUrl}/metrics`, 'GET', {})).text, JSON.stringify(service.logs), process.title)
  await service.stop()
  said.push(readFileSync(ledger, 'latin1'))
  t.match(said.at(-1), /billing/, 'the ledger names the caller')
  t.notMatch(said.join('\n'), /canary/)
  const digests = [keyOf('billing'), keyOf('shop'), bad].map((key) => hash('sha256', key))
  for (const digest of digests) t.notOk(said.join('\n').includes(digest), 'nor its digest')
})

t.test('every answer forbids sniffing, and no route but one takes more than a little body', async (t) => {
  const service = await start(t)
  for (const [path, headers] of [
    ['/problems', {}],
    ['/nowhere', {}],
    ['/%zz', {}],
    ['/docs', {}],
    ['/clients/requests/x', as('shop')],
    ['/clients/requests/x', {}],
  ] as const) {
    t.equal((await service.get(path, headers)).headers['x-content-type-options'], 'nosniff', path)
  }
  const ops = await call(`${service.opsUrl}/readyz`, 'GET', {})
  t.equal(ops.headers['x-content-type-options'], 'nosniff')
  for (const bytes of ['no HTTP\r\n\r\n', `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`]) {
    const [unreadable] = await sendRaw(service.url, Buffer.from(bytes))
    t.equal(unreadable?.headers['x-content-type-options'], 'nosniff', `raw: ${unreadable?.statusCode}`)
  }
  const kept = await request(`${service.url}/problems`)
  t.match(kept.headers['keep-alive'], /max=\d+/, 'a connection is not kept for ever')
  await kept.body.dump()
  const padded = { ...as('shop'), 'content-type': 'application/json' }
  const elsewhere = await call(`${service.url}/problems`, 'POST', padded, JSON.stringify('x'.repeat(2000)))
  t.ok([405, 413].includes(elsewhere.statusCode))
  const large = { ...body, document: Buffer.concat([Buffer.from('%PDF-'), Buffer.alloc(2_000_000)]).toString('base64') }
  t.equal((await service.create(large, as('billing'))).statusCode, 201)
})
