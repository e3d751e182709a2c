/** The corners in which a service easily says something untrue, over real sockets. */
import t, { type Test } from 'tap'
import type { CreateClient } from '../../src/clients/body/schema.ts'
import { makeLedgerFile } from '../fixtures/ledgers.ts'
import { phoneFor, startTestService } from '../fixtures/service.ts'
import { createGate, type PartnerCall, replies, type StandIn, startStandIn } from '../fixtures/stand-in-partner.ts'
import { until } from '../fixtures/until.ts'

// They mostly wait, so they may do it together.
t.jobs = 8

const body: CreateClient = { phone: phoneFor('567') }
const keyed = (key: string) => ({ 'idempotency-key': key })
const busy = { status: 'error', request_status: 'error', error_code: '1999', error_description: 'system busy' }
const hourMs = '3600000'
/** A partner that no slow machine makes late. */
const patient = { PARTNER_TIMEOUT_MS: '20000' }

function test(name: string, run: (t: Test) => Promise<void>): void {
  t.test(name, { buffered: true }, run)
}

/** Answers a question by its number, counted from 1; the last answer stands. */
function inOrder(...answers: (object | number)[]) {
  return (_call: PartnerCall, { questions }: StandIn) => answers[Math.min(questions.length, answers.length) - 1] ?? 500
}

test('one doubtful error between "process" and "success" is not believed', async (t) => {
  const status = inOrder(busy, replies.created('client-1'))
  const partner = await startStandIn(t, { add: () => replies.process, status })
  const service = await startTestService(t, { partnerUrl: partner.url })
  t.match(await service.create(body), { statusCode: 201, body: { clientId: 'client-1' } })
})

test('a word that FreedomPay says to every question is told once for a create, with its count', async (t) => {
  const unheard = () => ({ status: 'ok', request_status: 'in_review' })
  const partner = await startStandIn(t, { add: unheard, status: inOrder(unheard(), unheard(), replies.created('c-1')) })
  const service = await startTestService(t, { partnerUrl: partner.url, settings: patient })
  t.match(await service.create(body), { statusCode: 201 })
  const lines = service.logs.filter(({ result }) => result === 'drift')
  t.match(lines, [{ level: 'warn', operation: 'add', drift: 'status "ok" with request_status unreadable', drifts: 3 }])
  t.equal(lines.length, 1)
  const metrics = await service.metrics()
  const count = (operation: string, result: string) =>
    metrics.get(`partner_request_duration_seconds_count{operation="${operation}",result="${result}"}`)
  t.equal(count('add', 'drift'), 1)
  t.equal(count('status', 'drift'), 0)
  t.equal(count('status', 'bad_body'), 2)
})

test('a word that FreedomPay says to every question in the background is told and counted once', async (t) => {
  const unheard = { status: 'ok', request_status: 'in_review' }
  const status = inOrder(unheard, unheard, unheard, replies.created('client-1'))
  const partner = await startStandIn(t, { add: () => replies.process, status })
  const service = await startTestService(t, { partnerUrl: partner.url, settings: patient })
  const accepted = await service.create(body, { prefer: 'respond-async' })
  t.match(accepted, { statusCode: 202, body: { status: 'processing' } })
  await until(
    () => service.get(`/clients/requests/${accepted.body.requestId}`),
    (answer) => answer.body.status === 'created',
  )
  const lines = service.logs.filter(({ result }) => result === 'drift')
  t.match(lines, [{ level: 'warn', operation: 'status', requestId: accepted.body.requestId }])
  t.equal(lines.length, 1)
  const metrics = await service.metrics()
  const count = (result: string) =>
    metrics.get(`partner_request_duration_seconds_count{operation="status",result="${result}"}`)
  t.equal(count('drift'), 1)
  t.equal(count('bad_body'), 2)
})

test('one doubtful error is not believed by the reconciler either', async (t) => {
  const status = inOrder(busy, busy, replies.created('client-1'))
  const partner = await startStandIn(t, { add: () => replies.process, status })
  const service = await startTestService(t, { partnerUrl: partner.url, settings: patient })
  const accepted = await service.create(body, { prefer: 'respond-async' })
  t.match(accepted, { statusCode: 202, body: { status: 'processing' } })
  const path = `/clients/requests/${accepted.body.requestId}`
  const seen = await until(
    () => service.get(path),
    (answer) => answer.body.status !== 'processing',
  )
  t.match(seen.body, { status: 'created', clientId: 'client-1' })
})

test('a doubtful error that stands long enough, three times at least, is a rejection', async (t) => {
  const partner = await startStandIn(t, { add: () => replies.process, status: () => busy })
  const settings = { ...patient, PARTNER_DOUBT_MS: '300' }
  const service = await startTestService(t, { partnerUrl: partner.url, settings })
  const accepted = await service.create(body, { prefer: 'respond-async' })
  t.match(accepted, { statusCode: 202, body: { status: 'processing' } })
  const path = `/clients/requests/${accepted.body.requestId}`
  const seen = await until(
    () => service.get(path),
    (answer) => answer.body.status !== 'processing',
  )
  t.match(seen.body, { status: 'rejected', partner: { code: '1999' } })
  t.ok(partner.questions.length >= 3)
})

test('"no such request" is unknown until it has stood since the last send, and then not-created', async (t) => {
  const partner = await startStandIn(t, { add: () => 502, status: () => replies.noSuchRequest })
  const settings = { ...patient, PARTNER_ABSENT_MS: '4000', PARTNER_RESEND: 'false', REQUEST_DEADLINE_MS: '3000' }
  const service = await startTestService(t, { partnerUrl: partner.url, settings })
  const startedAt = performance.now()
  const answer = await service.create(body)
  t.match(answer, { statusCode: 202, body: { status: 'unknown' } })
  const path = `/clients/requests/${answer.body.requestId}`
  await until(
    () => service.get(path),
    ({ body }) => body.status === 'not-created',
  )
  t.ok(performance.now() - startedAt >= 4000)
  t.equal(partner.adds.length, 1, 'PARTNER_RESEND=false sends nothing twice')
})

test('a client that appears after 8 seconds of "no such request" is found, and no second one is made', async (t) => {
  const service = await startTestService(t, { timings: { lateMs: 3000 }, settings: { REQUEST_DEADLINE_MS: '1500' } })
  const answer = await service.create({ phone: phoneFor('014') })
  t.match(answer, { statusCode: 202, body: { status: 'unknown' } })
  const path = `/clients/requests/${answer.body.requestId}`
  const seen = await until(
    () => service.get(path),
    ({ body }) => body.status !== 'unknown',
  )
  t.equal(seen.body.status, 'created')
  t.match(service.sandbox.clients(), [{ clientId: seen.body.clientId }])
})

test('with a lost ledger the same key and another body never lead to another person’s client', async (t) => {
  const partner = await startStandIn(t, {
    add: ({ request_id }, { adds }) =>
      adds.filter((call) => call.request_id === request_id).length > 1 ? replies.duplicate : replies.success,
  })
  const start = () => startTestService(t, { partnerUrl: partner.url })
  const before = await start()
  const first = await before.create(body, keyed('one'))
  await before.stop()

  const after = await start()
  const again = await after.create(body, keyed('one'))
  t.match(again, { statusCode: 201, headers: { 'idempotency-status': 'replayed' } })
  t.equal(again.body.clientId, first.body.clientId, 'the same body, derived from the same secret')
  const lost = await start()
  const other = await lost.create({ ...body, firstName: 'Alisher' }, keyed('one'))
  t.equal(other.statusCode, 201)
  t.not(other.body.clientId, first.body.clientId)
  t.not(other.body.requestId, first.body.requestId)
})

test('a refusal in words that are not known is outweighed by a client that exists', async (t) => {
  const refusal = { status: 'error', request_status: 'error', error_code: '7777' }
  const partner = await startStandIn(t, { add: () => refusal, status: () => replies.created('client-1') })
  const service = await startTestService(t, { partnerUrl: partner.url })
  const answer = await service.create(body, keyed('one'))
  t.match(answer, { statusCode: 201, body: { clientId: 'client-1' }, headers: { 'idempotency-status': 'replayed' } })
})

test('a refusal stands after one question that says nothing better', async (t) => {
  for (const status of [() => replies.noSuchRequest, () => busy, () => 500]) {
    const partner = await startStandIn(t, { add: () => replies.rejected('No'), status })
    const service = await startTestService(t, { partnerUrl: partner.url })
    t.match(await service.create(body), {
      statusCode: 422,
      body: { code: 'partner-rejected', partner: { code: '1001' } },
    })
    t.equal(partner.questions.length, 1)
  }
})

test('a gateway’s page on the status path is no "no such request"', async (t) => {
  const partner = await startStandIn(t, { add: () => 502, status: () => 404 })
  const settings = { PARTNER_SETTLE_MS: '100', PARTNER_ABSENT_MS: '100', REQUEST_DEADLINE_MS: '1500' }
  const service = await startTestService(t, { partnerUrl: partner.url, settings })
  t.match(await service.create(body), { statusCode: 202, body: { status: 'unknown' } })
  t.equal(partner.adds.length, 1)
})

test('callers that wait while FreedomPay works hold no place', async (t) => {
  const partner = await startStandIn(t, {
    add: (call) => (call.client?.phone === 998901234010 ? replies.process : replies.success),
    status: ({ request_id }, { adds }) =>
      adds.find((call) => call.request_id === request_id)?.client?.phone === 998901234010
        ? replies.process
        : replies.created('client-1'),
  })
  const settings = { PARTNER_MAX_IN_FLIGHT: '2', CREATE_WAIT_MS: hourMs, PARTNER_MAX_WAITING: '3' }
  const service = await startTestService(t, { partnerUrl: partner.url, settings })
  const waiting = Array.from({ length: 3 }, async (_, i) => {
    await partner.received(i)
    return service.create({ phone: phoneFor('010') })
  })
  await partner.received(3)
  await until(
    () => partner.questions,
    (questions) => new Set(questions.map(({ request_id }) => request_id)).size === 3,
  )
  t.match(await service.create(body), { statusCode: 201 }, 'a place is free')
  const over = await service.create({ phone: phoneFor('010') })
  t.match(over, { statusCode: 202, body: { status: 'processing' } }, 'one more waiter is answered at once')
  for (const answer of await Promise.all(waiting)) t.match(answer, { statusCode: 202, body: { status: 'processing' } })
})

test('a finished key is answered while every place is taken', async (t) => {
  const gate = createGate()
  const partner = await startStandIn(t, {
    add: async ({ client }) => {
      if (client?.phone === 998901234004) await gate.passed
      return replies.success
    },
  })
  const service = await startTestService(t, {
    partnerUrl: partner.url,
    settings: { PARTNER_MAX_IN_FLIGHT: '1', PARTNER_TIMEOUT_MS: '5000' },
  })
  const first = await service.create(body, keyed('one'))
  const holder = service.create({ phone: phoneFor('004') })
  await partner.received(2)
  t.match(await service.create(body, keyed('one')), { statusCode: 201, text: first.text })
  t.match(await service.create(body, keyed('two')), {
    statusCode: 503,
    body: { code: 'overloaded', safeToRetry: 'same-key-only' },
  })
  t.match(await service.create(body), { statusCode: 503, body: { code: 'overloaded', safeToRetry: 'yes' } })
  gate.open()
  t.match(await holder, { statusCode: 201 })
})

test('Prefer: wait counts from the arrival, and the create goes on when the caller has been answered', async (t) => {
  const gate = createGate()
  const partner = await startStandIn(t, { add: () => gate.passed.then(() => replies.success) })
  const service = await startTestService(t, { partnerUrl: partner.url, settings: { PARTNER_TIMEOUT_MS: '5000' } })
  const answer = await service.create(body, { ...keyed('one'), prefer: 'wait=1' })
  t.match(answer, { statusCode: 202, headers: { 'preference-applied': 'wait=1' }, body: { status: 'unknown' } })
  gate.open()
  const path = `/clients/requests/${answer.body.requestId}`
  await until(
    () => service.get(path),
    ({ body }) => body.status === 'created',
  )
  t.equal(partner.adds.length, 1)
})

test('only a preference that was honoured is echoed', async (t) => {
  const gate = createGate()
  const partner = await startStandIn(t, {
    async add({ client }) {
      if (client?.phone === 998901234005) await gate.passed
      return replies.process
    },
    status: () => replies.process,
  })
  const service = await startTestService(t, { partnerUrl: partner.url, settings: { PARTNER_MAX_WAITING: '0' } })
  const createWith = (prefer: string, phone = phoneFor('010')) => service.create({ phone }, { prefer })
  t.match(await createWith('respond-async'), { statusCode: 202, headers: { 'preference-applied': 'respond-async' } })
  t.match(await createWith('wait=0', phoneFor('005')), {
    statusCode: 202,
    headers: { 'preference-applied': 'wait=0' },
    body: { status: 'unknown' },
  })
  const full = await createWith('wait=20')
  t.match(full, { statusCode: 202, body: { status: 'processing' } })
  t.equal(full.headers['preference-applied'], undefined, 'too many wait, so the answer came at once')
  gate.open()
})

test('a 401 on the second claim of a key does not promise that no earlier attempt lives', async (t) => {
  const partner = await startStandIn(t, { add: () => 401 })
  const service = await startTestService(t, { partnerUrl: partner.url })
  t.match(await service.create(body, keyed('one')), { statusCode: 502, body: { safeToRetry: 'yes' } })
  t.match(await service.create(body, keyed('one')), { statusCode: 502, body: { safeToRetry: 'same-key-only' } })
  t.match(await service.create(body), { statusCode: 502, body: { safeToRetry: 'yes' } })
})

test('questions that hang do not keep healthy creates from being sent', async (t) => {
  const path = makeLedgerFile(t)
  const partner = await startStandIn(t, {
    add: ({ client }) => (client?.phone === 998901234004 ? 502 : replies.success),
    status: async ({ request_id }, { adds }) => {
      const known = adds.find((call) => call.request_id === request_id)
      if (known?.client?.phone === 998901234004) await new Promise(() => undefined)
      return replies.created('client-1')
    },
  })
  const settings = {
    LEDGER_URL: `sqlite:${path}`,
    LEDGER_KEY: 'a ledger key of thirty-two bytes.',
    REQUEST_DEADLINE_MS: '1500',
    PARTNER_TIMEOUT_MS: '500',
  }
  const service = await startTestService(t, { partnerUrl: partner.url, settings })
  const broken = await service.create({ phone: phoneFor('004') })
  t.match(broken, { statusCode: 202 })
  const asked = partner.questions.length
  await until(
    () => partner.questions,
    (questions) => questions.length > asked,
  )
  for (let i = 0; i < 20; i++) t.match(await service.create(body), { statusCode: 201 })
  const circuit = await service.metrics()
  t.equal(circuit.get('partner_circuit_state{state="closed"}'), 1)
})
