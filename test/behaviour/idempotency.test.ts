/** One intent, one client: what an Idempotency-Key promises, over real sockets. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { request } from 'undici'
import type { CreateClient } from '../../src/clients/body/schema.ts'
import { createFingerprint, toKeyId, toRequestId } from '../../src/clients/create/idempotency-key.ts'
import type { Change, Ledger } from '../../src/ledger/ledger.ts'
import { buildSandbox } from '../../src/sandbox/app.ts'
import { sandboxCredentials } from '../../src/sandbox/credentials.ts'
import { arrivals } from '../fixtures/arrivals.ts'
import { findFreePort } from '../fixtures/free-port.ts'
import { makeLedgerFile, openTestLedger } from '../fixtures/ledgers.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'
import { addBody, fast, startSandbox } from '../fixtures/sandbox-caller.ts'
import { type Answer, call, phoneFor, startTestService, type TestService } from '../fixtures/service.ts'
import { createGate, replies, type StandIn, startStandIn } from '../fixtures/stand-in-partner.ts'
import { until } from '../fixtures/until.ts'

// They mostly wait, so they may do it together.
t.jobs = 25

const caller = 'anonymous'
const ledgerKey = 'a ledger key of thirty-two bytes.'
const body: CreateClient = { phone: phoneFor('567') }

/** With times that no slow machine reaches, unless a test wants them to be reached. */
function settingsFor(ledgerUrl: string, settings: Record<string, string> = {}): Record<string, string> {
  return {
    LEDGER_URL: ledgerUrl,
    LEDGER_KEY: ledgerKey,
    PARTNER_TIMEOUT_MS: '20000',
    REQUEST_DEADLINE_MS: '30000',
    ...settings,
  }
}

const keyed = (key: string) => ({ 'idempotency-key': key })
const statusOf = ({ headers }: Answer) => headers['idempotency-status']

function requestIdOf(key: string, sent: CreateClient = body): string {
  return toRequestId(caller, key, createFingerprint(ledgerKey)(sent))
}

/** A claim as another replica would have made it for this key and body. */
async function claimElsewhere(ledger: Ledger, key: string, claimed: CreateClient, deadlineMs: number, change?: Change) {
  const requestId = requestIdOf(key, claimed)
  const fingerprint = createFingerprint(ledgerKey)(claimed)
  const claimToken = randomUUID()
  await ledger.claim({ requestId, keyId: toKeyId(caller, key), caller, fingerprint, claimToken, deadlineMs })
  if (change !== undefined) await ledger.record(requestId, claimToken, change)
  return requestId
}

function test(name: string, run: (t: Test) => Promise<void>): void {
  t.test(name, { buffered: true }, run)
}

test('ten requests with one key at one time are one create, and all get its answer', async (t) => {
  const gate = createGate()
  const partner = await startStandIn(t, { add: () => gate.passed.then(() => replies.success) })
  const service = await startTestService(t, { partnerUrl: partner.url, settings: settingsFor('memory:') })
  const all = arrivals(service.url, 10)
  const answers = Array.from({ length: 10 }, () => service.create(body, keyed('one')))
  await all
  gate.open()
  const [first, ...others] = await Promise.all(answers)
  t.match(first, { statusCode: 201, body: { status: 'created', clientId: 'client-1' } })
  for (const other of others) t.match(other, { statusCode: 201, text: first?.text })
  t.strictSame((await Promise.all(answers)).map(statusOf).toSorted(), [...Array(9).fill('joined'), 'new'])
  t.equal(partner.adds.length, 1)

  const metrics = await service.metrics()
  t.equal(metrics.get('idempotency_total{result="new"}'), 1)
  t.equal(metrics.get('idempotency_total{result="joined"}'), 9)
  t.equal(metrics.get('clients_create_total{outcome="created"}'), 1)
  t.equal(metrics.get('clients_create_total{outcome="replayed"}'), 9)
})

test('a join has a preference of its own, and is told that the service honoured it', async (t) => {
  const gate = createGate()
  const partner = await startStandIn(t, { add: () => gate.passed.then(() => replies.success) })
  const service = await startTestService(t, { partnerUrl: partner.url, settings: settingsFor('memory:') })
  const first = service.create(body, { ...keyed('one'), prefer: 'wait=20' })
  await partner.received(1)
  const arrival = arrivals(service.url, 1)
  const joined = service.create(body, { ...keyed('one'), prefer: 'respond-async' })
  await arrival
  gate.open()
  t.match(await first, { statusCode: 201, headers: { 'preference-applied': 'wait=20' } })
  t.match(await joined, { statusCode: 201, headers: { 'idempotency-status': 'joined' } })
  t.equal((await joined).headers['preference-applied'], 'respond-async')
})

test('a finished create is replayed with the very same body, however the key and the body are written', async (t) => {
  const service = await startTestService(t, { settings: settingsFor('memory:') })
  const first = await service.create({ phone: phoneFor('567'), firstName: 'Alisher' }, keyed('a-key'))
  t.match(first, { statusCode: 201, headers: { 'idempotency-status': 'new' } })
  const url = `${service.url}/clients`
  const headers = { 'content-type': 'application/json', 'idempotency-key': '"a-key"' }
  const again = await call(url, 'POST', headers, `{"firstName" :"\\u0041lisher", "phone":"${phoneFor('567')}"}`)
  t.match(again, { statusCode: 201, text: first.text, headers: { 'idempotency-status': 'replayed' } })
  t.equal(again.headers.location, first.headers.location)
  t.equal(service.received.filter(({ path }) => path.endsWith('/add')).length, 1)
  t.match(service.sandbox.clients(), [{ requestId: first.body.requestId, clientId: first.body.clientId }])

  const metrics = await service.metrics()
  t.equal(metrics.get('idempotency_total{result="replayed"}'), 1)
  t.equal(metrics.get('clients_create_total{outcome="created"}'), 1)
  t.equal(metrics.get('clients_create_total{outcome="replayed"}'), 1)
})

test('a refusal is replayed with the very same body', async (t) => {
  const service = await startTestService(t, { settings: settingsFor('memory:') })
  const refused = { phone: phoneFor('002') }
  const first = await service.create(refused, keyed('a-key'))
  t.match(first, {
    statusCode: 422,
    headers: { 'idempotency-status': 'new' },
    body: { code: 'partner-rejected', partner: { code: '1001' } },
  })
  const again = await service.create(refused, keyed('a-key'))
  t.match(again, { statusCode: 422, text: first.text, headers: { 'idempotency-status': 'replayed' } })
  t.equal(service.received.length, 2, 'the refusal was doubted once')

  const metrics = await service.metrics()
  t.equal(metrics.get('clients_create_total{outcome="rejected"}'), 1)
  t.equal(metrics.get('clients_create_total{outcome="replayed"}'), 1)
})

test('a key that comes with another body is refused, while the first is in flight and afterwards', async (t) => {
  const gate = createGate()
  const partner = await startStandIn(t, { add: () => gate.passed.then(() => replies.success) })
  const service = await startTestService(t, { partnerUrl: partner.url, settings: settingsFor('memory:') })
  const reused = {
    statusCode: 422,
    body: { code: 'idempotency-key-reused', safeToRetry: 'no' },
  }
  const other = { ...body, firstName: 'Alisher' }
  const first = service.create(body, keyed('one'))
  await partner.received(1)
  t.match(await service.create(other, keyed('one')), reused)
  gate.open()
  t.match(await first, { statusCode: 201 })
  t.match(await service.create(other, keyed('one')), reused)
  t.equal(partner.adds.length, 1)

  const metrics = await service.metrics()
  t.equal(metrics.get('idempotency_total{result="reused"}'), 2)
  t.equal(metrics.get('clients_create_total{outcome="invalid"}'), 2)
})

test('without a key every request is an intent of its own', async (t) => {
  const service = await startTestService(t)
  const answers = [await service.create(body), await service.create(body)]
  for (const answer of answers) {
    t.match(answer, { statusCode: 201 })
    t.equal(statusOf(answer), undefined)
  }
  t.equal(service.sandbox.clients().length, 2)
  t.not(answers[0]?.body.requestId, answers[1]?.body.requestId)
  const metrics = await service.metrics()
  t.equal(metrics.get('idempotency_total{result="new"}'), 0)
})

test('a malformed key is refused before anything is sent', async (t) => {
  const service = await startTestService(t)
  const headers = { 'content-type': 'application/json' }
  const malformed = { statusCode: 400, body: { code: 'invalid-idempotency-key', safeToRetry: 'no' } }
  for (const key of ['a'.repeat(256), 'a b', '"a', '', ['a', 'a'], ['a', 'b']]) {
    const answer = await call(
      `${service.url}/clients`,
      'POST',
      { ...headers, 'idempotency-key': key },
      JSON.stringify(body),
    )
    t.match(answer, malformed, JSON.stringify(key).slice(0, 20))
  }
  t.equal(service.received.length, 0)
  t.equal((await service.metrics()).get('clients_create_total{outcome="invalid"}'), 6)
})

/** Two services that share a ledger, and a partner that would create a client for each add it gets. */
async function raceTwoServices(t: Test, ledgerUrl: string): Promise<void> {
  const gate = createGate()
  const partner = await startStandIn(t, {
    add: async (_call, { adds }) => {
      // A second send would be the fault that this test is about; it must not wait for the first.
      if (adds.length > 1) gate.open()
      await gate.passed
      return replies.success
    },
  })
  const start = () => startTestService(t, { partnerUrl: partner.url, settings: settingsFor(ledgerUrl) })
  const services = [await start(), await start()]
  for (const { opsUrl } of services) {
    await until(
      () => call(`${opsUrl}/readyz`, 'GET', {}),
      ({ statusCode }) => statusCode === 200,
    )
  }
  const answers = services.map((service) => service.create(body, keyed('one')))
  // The one who did not get the claim does not wait.
  const refused = await Promise.race(answers)
  gate.open()
  t.match(refused, {
    statusCode: 409,
    headers: { 'retry-after': /^\d+$/ },
    body: { code: 'request-in-progress', safeToRetry: 'same-key-only', requestId: requestIdOf('one') },
  })
  const all = await Promise.all(answers)
  t.strictSame(all.map(({ statusCode }) => statusCode).toSorted(), [201, 409])
  t.equal(partner.adds.length, 1, 'the partner, which would have taken both, got one')

  for (const service of services) {
    const replayed = await service.create(body, keyed('one'))
    t.match(replayed, {
      statusCode: 201,
      headers: { 'idempotency-status': 'replayed' },
      body: { clientId: 'client-1' },
    })
  }
  t.equal(partner.adds.length, 1)
  const counts = await Promise.all(services.map((service) => service.metrics()))
  t.equal(
    counts.reduce((sum, metrics) => sum + (metrics.get('idempotency_total{result="in_progress"}') ?? 0), 0),
    1,
  )
}

test('two services on one SQLite file send one key once, as only one gets the claim', async (t) => {
  await raceTwoServices(t, `sqlite:${makeLedgerFile(t)}`)
})

t.test(
  'two services on one Redis send one key once, as only one gets the claim',
  {
    buffered: true,
    skip: skipRedis,
  },
  async (t) => {
    await raceTwoServices(t, (await startRedis(t, { onDisk: false })).url)
  },
)

test('what is being worked on elsewhere is told from another body', async (t) => {
  const url = `sqlite:${makeLedgerFile(t)}`
  const service = await startTestService(t, { settings: settingsFor(url) })
  await claimElsewhere(await openTestLedger(t, url), 'one', body, 60_000)
  t.match(await service.create(body, keyed('one')), { statusCode: 409 })
  t.match(await service.create({ ...body, email: 'a@example.com' }, keyed('one')), { statusCode: 422 })
  t.equal(service.received.length, 0)
})

test('a dead claim whose create arrived is found out, and nothing is sent', async (t) => {
  const url = `sqlite:${makeLedgerFile(t)}`
  const partner = await startSandbox(t, { timings: fast })
  const ledger = await openTestLedger(t, url)
  const requestId = await claimElsewhere(ledger, 'one', body, 1)
  await partner.send('add', addBody('567', requestId))
  const service = await startTestService(t, { partnerUrl: partner.origin, settings: settingsFor(url) })
  const answer = await service.create(body, keyed('one'))
  t.match(answer, { statusCode: 201, headers: { 'idempotency-status': 'replayed' }, body: { requestId } })
  t.match(await partner.list(), [{ requestId, clientId: answer.body.clientId }])
  t.equal(partner.received.filter(({ path }) => path.endsWith('/add')).length, 1, 'the one of the dead process')
})

test('a dead claim whose create is still in work is not sent again', async (t) => {
  const url = `sqlite:${makeLedgerFile(t)}`
  const partner = await startSandbox(t)
  const requestId = await claimElsewhere(await openTestLedger(t, url), 'one', body, 1)
  await partner.send('add', addBody('010', requestId))
  const service = await startTestService(t, {
    partnerUrl: partner.origin,
    settings: settingsFor(url, { CREATE_WAIT_MS: '200' }),
  })
  t.match(await service.create(body, keyed('one')), { statusCode: 202, body: { status: 'processing' } })
  t.match(await service.create(body, keyed('one')), { statusCode: 202, body: { status: 'processing' } })
  t.equal(partner.received.filter(({ path }) => path.endsWith('/add')).length, 1)
})

test('a dead claim whose create never arrived is sent, once', async (t) => {
  const url = `sqlite:${makeLedgerFile(t)}`
  const requestId = await claimElsewhere(await openTestLedger(t, url), 'one', body, 1)
  const service = await startTestService(t, { settings: settingsFor(url) })
  const answers = await Promise.all([service.create(body, keyed('one')), service.create(body, keyed('one'))])
  t.strictSame(answers.map(statusOf).toSorted(), ['joined', 'new'])
  for (const answer of answers) t.match(answer, { statusCode: 201, body: { requestId } })
  t.equal(service.received.filter(({ path }) => path.endsWith('/add')).length, 1)
})

test('a dead claim of which nothing can be learnt stays unknown, and is not sent', async (t) => {
  const url = `sqlite:${makeLedgerFile(t)}`
  await claimElsewhere(await openTestLedger(t, url), 'one', body, 1)
  const partner = await startStandIn(t, { status: () => 500 })
  const service = await startTestService(t, {
    partnerUrl: partner.url,
    settings: settingsFor(url, { REQUEST_DEADLINE_MS: '600' }),
  })
  t.match(await service.create(body, keyed('one')), {
    statusCode: 202,
    headers: { 'retry-after': /^\d+$/, 'idempotency-status': 'replayed' },
    body: { status: 'unknown' },
  })
  t.equal(partner.adds.length, 0)
})

test('what was accepted but not done is replayed once it is', async (t) => {
  const service = await startTestService(t, { settings: settingsFor('memory:') })
  const slow = { phone: phoneFor('001') }
  const accepted = await service.create(slow, { ...keyed('one'), prefer: 'respond-async' })
  t.match(accepted, {
    statusCode: 202,
    headers: { 'idempotency-status': 'new', 'preference-applied': 'respond-async', 'retry-after': /^\d+$/ },
    body: { status: 'processing' },
  })
  const done = await service.create(slow, keyed('one'))
  t.match(done, { statusCode: 201, headers: { 'idempotency-status': 'replayed' } })
  t.equal(done.body.requestId, accepted.body.requestId)
  t.match(service.sandbox.clients(), [{ clientId: done.body.clientId }])
  t.equal(service.received.filter(({ path }) => path.endsWith('/add')).length, 1)
})

test('what was certainly not created frees the key, for the same body alone', async (t) => {
  const port = await findFreePort()
  const service = await startTestService(t, {
    partnerUrl: `http://127.0.0.1:${port}`,
    settings: settingsFor('memory:'),
  })
  const first = await service.create(body, keyed('one'))
  t.match(first, {
    statusCode: 503,
    headers: { 'idempotency-status': 'new', 'retry-after': /^\d+$/ },
    body: { code: 'partner-unavailable', safeToRetry: 'yes', requestId: requestIdOf('one') },
  })
  const path = `/clients/requests/${first.body.requestId}`
  t.match(await service.get(path), { statusCode: 200, body: { status: 'not-created' } })
  t.match(await service.create({ ...body, email: 'a@example.com' }, keyed('one')), { statusCode: 422 })

  const sandbox = buildSandbox({ credentials: sandboxCredentials })
  t.teardown(() => sandbox.close())
  await sandbox.listen(port)
  const again = await service.create(body, keyed('one'))
  t.match(again, { statusCode: 201, headers: { 'idempotency-status': 'new' } })
  t.match(sandbox.clients(), [{ requestId: first.body.requestId, clientId: again.body.clientId }])
  t.match(await service.get(path), { body: { status: 'created', clientId: again.body.clientId } })
})

/** Sends a create, hangs up once FreedomPay has it, and resolves when the service has seen that. */
async function postAndHangUp(t: Test, service: TestService, partner: StandIn, headers: Record<string, string> = {}) {
  const hangUp = new AbortController()
  const posting = request(`${service.url}/clients`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: hangUp.signal,
  })
  await partner.received(1)
  hangUp.abort()
  await t.rejects(posting)
  await until(
    () => service.logs,
    (logs) => logs.some(({ msg }) => msg === 'caller hung up'),
  )
}

test('a caller that hangs up does not stop its create, and can read what came of it', async (t) => {
  const gate = createGate()
  const partner = await startStandIn(t, { add: () => gate.passed.then(() => replies.success) })
  const service = await startTestService(t, { partnerUrl: partner.url, settings: settingsFor('memory:') })
  await postAndHangUp(t, service, partner, keyed('one'))
  const path = `/clients/requests/${requestIdOf('one')}`
  t.match(await service.get(path), { statusCode: 200, body: { status: 'unknown' } })
  gate.open()
  await until(
    () => service.get(path),
    (answer) => answer.body.status === 'created',
  )
  t.match(await service.create(body, keyed('one')), { statusCode: 201, headers: { 'idempotency-status': 'replayed' } })
  t.equal(partner.adds.length, 1)
})

test('a create of a caller that hung up says in the log how it was refused', async (t) => {
  const gate = createGate()
  const partner = await startStandIn(t, {
    add: () => gate.passed.then(() => replies.rejected('no')),
    status: () => replies.noSuchRequest,
  })
  const service = await startTestService(t, { partnerUrl: partner.url, settings: settingsFor('memory:') })
  await postAndHangUp(t, service, partner)
  gate.open()
  const [line] = await until(
    () => service.logs.filter(({ code }) => code === 'partner-rejected'),
    (lines) => lines.length > 0,
  )
  t.match(line, { requestId: partner.adds[0]?.request_id })
})

test('a caller that hangs up in the middle of its body gets no line about a create', async (t) => {
  const service = await startTestService(t, { settings: settingsFor('memory:') })
  const { hostname, port } = new URL(service.url)
  const socket = connect(Number(port), hostname)
  const head = ['Host: a', 'Content-Type: application/json', 'Content-Length: 100', 'Expect: 100-continue']
  socket.write(`POST /clients HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`)
  // The service asks for the body, so it is reading.
  await once(socket, 'data')
  socket.write('{"phone"')
  socket.resetAndDestroy()
  await until(
    () => service.logs,
    (logs) => logs.some(({ msg }) => msg === 'caller hung up'),
  )
  t.strictSame(
    service.logs.filter(({ requestId }) => requestId !== undefined),
    [],
  )
  t.equal(service.received.length, 0)
})

test('a body that arrives after the deadline of its create is never sent', async (t) => {
  const deadlineMs = 1000
  const service = await startTestService(t, {
    settings: settingsFor('memory:', { REQUEST_DEADLINE_MS: `${deadlineMs}` }),
  })
  const { hostname, port } = new URL(service.url)
  const socket = connect(Number(port), hostname)
  t.teardown(() => socket.destroy())
  const text = JSON.stringify(body)
  const head = ['Host: a', 'Content-Type: application/json', `Content-Length: ${text.length}`, 'Expect: 100-continue']
  socket.write(`POST /clients HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`)
  await once(socket, 'data')
  // The deadline must pass while the service waits for the body.
  await sleep(deadlineMs + 50)
  socket.write(text)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  t.match(answer.toString(), /^HTTP\/1.1 503 .*"code":"partner-unavailable","safeToRetry":"yes"/s)
  t.equal(service.received.length, 0)
})

test('what is known of a request can be read in every state', async (t) => {
  const url = `sqlite:${makeLedgerFile(t)}`
  const ledger = await openTestLedger(t, url)
  const service = await startTestService(t, { settings: settingsFor(url) })
  const rows: { name: string; change?: Change; expected: Record<string, unknown> }[] = [
    { name: 'sent', expected: { status: 'unknown' } },
    { name: 'unknown', change: { state: 'unknown' }, expected: { status: 'unknown' } },
    { name: 'duplicate', change: { state: 'unknown', isAcknowledged: true }, expected: { status: 'unknown' } },
    { name: 'processing', change: { state: 'processing' }, expected: { status: 'processing' } },
    { name: 'not-created', change: { state: 'not-created' }, expected: { status: 'not-created' } },
    { name: 'created', change: { state: 'created', clientId: 'c' }, expected: { status: 'created', clientId: 'c' } },
    { name: 'without id', change: { state: 'created' }, expected: { status: 'created' } },
    {
      name: 'rejected',
      change: { state: 'rejected', partnerCode: '1001', partnerDescription: 'no' },
      expected: { status: 'rejected', partner: { code: '1001', description: 'no' } },
    },
  ]
  for (const { name, change, expected } of rows) {
    const requestId = await claimElsewhere(ledger, name, body, 60_000, change)
    const row = await ledger.find(requestId)
    const answer = await service.get(`/clients/requests/${requestId.toUpperCase()}`)
    t.equal(answer.statusCode, 200)
    t.strictSame(
      answer.body,
      { requestId, ...expected, updatedAt: new Date(row?.updatedAtMs ?? 0).toISOString() },
      name,
    )
    t.equal(answer.headers['cache-control'], 'no-store')
  }
})

test('a request that is unknown, or another caller’s, is not found', async (t) => {
  const url = `sqlite:${makeLedgerFile(t)}`
  const ledger = await openTestLedger(t, url)
  const service = await startTestService(t, { settings: settingsFor(url) })
  const requestId = randomUUID()
  const claim = { requestId, keyId: undefined, fingerprint: '', claimToken: randomUUID(), deadlineMs: 60_000 }
  await ledger.claim({ ...claim, caller: 'another-caller' })
  for (const id of [requestIdOf('never'), requestId]) {
    t.match(await service.get(`/clients/requests/${id}`), { statusCode: 404, body: { code: 'not-found' } })
  }
  t.match(await service.get('/clients/requests/1'), { statusCode: 400, body: { code: 'invalid-request' } })
})

t.test(
  'without its ledger the service sends nothing and says so, and afterwards goes on',
  {
    buffered: true,
    skip: skipRedis,
  },
  async (t) => {
    const redis = await startRedis(t)
    const service = await startTestService(t, { settings: settingsFor(redis.url) })
    const readiness = () => call(`${service.opsUrl}/readyz`, 'GET', {})
    const isReady = ({ statusCode }: Answer) => statusCode === 200
    await until(readiness, isReady)
    const first = await service.create(body, keyed('one'))
    t.equal(first.statusCode, 201)
    const receivedBefore = service.received.length
    await redis.kill()

    t.match(await until(readiness, ({ statusCode }) => statusCode === 503), {
      body: { checks: { ledger: 'unreachable' } },
    })
    const unavailable = (safeToRetry: string) => ({
      statusCode: 503,
      headers: { 'retry-after': /^\d+$/ },
      body: { code: 'ledger-unavailable', safeToRetry },
    })
    t.match(await service.create(body, keyed('two')), unavailable('same-key-only'))
    t.match(await service.create(body), unavailable('yes'))
    t.match(await service.get(`/clients/requests/${first.body.requestId}`), unavailable('same-key-only'))
    t.equal(service.received.length, receivedBefore, 'the partner heard nothing of it')
    t.equal((await service.metrics()).get('clients_create_total{outcome="not_sent"}'), 2)

    await redis.start()
    await until(readiness, isReady)
    t.match(await service.create(body, keyed('one')), { statusCode: 201, text: first.text })
    t.equal((await service.create(body, keyed('two'))).statusCode, 201)
    t.equal(service.sandbox.clients().length, 2)
  },
)

t.test(
  'a caller gets the real outcome even where it cannot be written down, and it is found out later',
  {
    buffered: true,
    skip: skipRedis,
  },
  async (t) => {
    const redis = await startRedis(t)
    const gate = createGate()
    const partner = await startStandIn(t, { add: () => gate.passed.then(() => replies.success) })
    const service = await startTestService(t, {
      partnerUrl: partner.url,
      settings: settingsFor(redis.url, { REQUEST_DEADLINE_MS: '2500' }),
    })
    const readiness = () => call(`${service.opsUrl}/readyz`, 'GET', {})
    await until(readiness, ({ statusCode }) => statusCode === 200)
    const creating = service.create(body, keyed('one'))
    await partner.received(1)
    await redis.kill()
    gate.open()
    t.match(await creating, { statusCode: 201, body: { status: 'created', clientId: 'client-1' } })
    t.match(
      service.logs.find(({ msg }) => msg === 'the outcome could not be written to the ledger'),
      { level: 'error', requestId: requestIdOf('one') },
    )

    await redis.start()
    const path = `/clients/requests/${requestIdOf('one')}`
    await until(
      () => service.get(path),
      ({ statusCode, body }) => statusCode === 200 && body.status === 'created',
    )
    t.match(await service.create(body, keyed('one')), {
      statusCode: 201,
      headers: { 'idempotency-status': 'replayed' },
    })
    t.equal(partner.adds.length, 1)
  },
)
