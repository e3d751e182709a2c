/** Settings of a running service: each reaches the part that it is for. Many are set at once. */

import { createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { ForeignLedgerError } from '../../src/ledger/ledger.ts'
import { makeLedgerFile, turnClocks } from '../fixtures/ledgers.ts'
import { listen } from '../fixtures/peer.ts'
import { call, phoneFor, startTestService } from '../fixtures/service.ts'
import { replies, startStandIn } from '../fixtures/stand-in-partner.ts'
import { until } from '../fixtures/until.ts'

const phone = phoneFor('567')
const pointersOf = ({ body }: { body: { errors?: { pointer: string }[] } }) =>
  (body.errors ?? []).map(({ pointer }) => pointer)

for (const [settings, header] of [
  [{ FREEDOMPAY_REGION: 'uz' }, 'x-jws-signature'],
  [{ FREEDOMPAY_REGION: 'uz', FREEDOMPAY_SIGNATURE: 'sign' }, 'sign'],
  [{ FREEDOMPAY_REGION: 'kg' }, 'sign'],
  [{ FREEDOMPAY_REGION: 'kg', FREEDOMPAY_SIGNATURE: 'jws' }, 'x-jws-signature'],
] as const) {
  t.test(`with ${JSON.stringify(settings)} FreedomPay gets ${header}`, async (t) => {
    const service = await startTestService(t, { settings: { ...settings, FREEDOMPAY_PRODUCT_ID: '2000' } })
    t.match(await service.create({ phone }), { statusCode: 201 })
    const names = Object.keys(service.received[0]?.headers ?? {})
    t.strictSame(
      names.filter((name) => name === 'sign' || name === 'x-jws-signature'),
      [header],
    )
  })
}

t.test('the region and the settings decide which members a body needs, and which products and branches', async (t) => {
  const service = await startTestService(t, {
    settings: {
      FREEDOMPAY_REGION: 'kz',
      FREEDOMPAY_PRODUCT_ID: '2000',
      FREEDOMPAY_ALLOWED_PRODUCT_IDS: '3000',
      FREEDOMPAY_BRANCH_ID: '001',
      FREEDOMPAY_ALLOWED_BRANCH_IDS: '002,003',
      FREEDOMPAY_REQUIRED: 'email,language',
    },
  })
  const refused = await service.create({ phone })
  t.equal(refused.statusCode, 400)
  t.strictSame(pointersOf(refused).sort(), ['/email', '/firstName', '/language', '/lastName', '/resident', '/type'])
  const body = {
    ...{ phone, email: 'a@example.com', language: 'ru', type: 'individual', resident: true },
    ...{ firstName: 'Ann', lastName: 'Lee' },
  }
  t.match(await service.create(body), { statusCode: 201 })
  t.match(await service.create({ ...body, productId: 3000, branchId: '003' }), { statusCode: 201 })
  t.strictSame(pointersOf(await service.create({ ...body, productId: 4000, branchId: '004' })), [
    '/productId',
    '/branchId',
  ])
  const adds = service.received.filter(({ path }) => path.endsWith('/add')).map(({ body }) => body)
  t.match(adds, [
    { product_id: 2000, branch_id: '001' },
    { product_id: 3000, branch_id: '003' },
  ])
  t.equal(adds.length, 2)
})

t.test('the codes of the settings mean "not unique" and "no such request"', async (t) => {
  const refusal = (code: string) => ({ status: 'error', request_status: 'error', error_code: code })
  const partner = await startStandIn(t, {
    // The first create is one that FreedomPay knows already, which outweighs "no such request"; the second is lost on its first way.
    add: (_call, { adds }) => [refusal('7002'), 500, replies.success][adds.length - 1] ?? replies.success,
    status: (_call, { adds, questions }) =>
      questions.length === 1 || adds.length === 2 ? refusal('7006') : replies.created('client'),
  })
  const service = await startTestService(t, {
    partnerUrl: partner.url,
    settings: { FREEDOMPAY_DUPLICATE_CODES: '7001,7002', FREEDOMPAY_NOT_FOUND_CODES: '7006' },
  })
  const known = await service.create({ phone }, { 'idempotency-key': 'known' })
  t.match(known, { statusCode: 201, headers: { 'idempotency-status': 'replayed' } })
  const lost = await service.create({ phone }, { 'idempotency-key': 'lost' })
  t.match(lost, { statusCode: 201, headers: { 'idempotency-status': 'new' } })
  t.equal(partner.adds.length, 3, 'it was sent again after "no such request"')
  t.equal((await service.metrics()).get('partner_retries_total{reason="no_such_request"}'), 1)
})

t.test('a connection that is not made in PARTNER_CONNECT_TIMEOUT_MS is given up, and made anew twice', async (t) => {
  let connections = 0
  // TLS is part of the connection, and this one never begins.
  const silent = createServer(() => {
    connections += 1
  })
  const partnerUrl = await listen(t, silent, 'https')
  // The call's own time is over before the default time of a connection would be.
  const settings = { PARTNER_CONNECT_TIMEOUT_MS: '100', PARTNER_TIMEOUT_MS: '2900', REQUEST_DEADLINE_MS: '60000' }
  const service = await startTestService(t, { partnerUrl, settings })
  t.match(await service.create({ phone }), { statusCode: 503, body: { code: 'partner-unavailable' } })
  t.equal(connections, 3)
  t.equal((await service.metrics()).get('partner_retries_total{reason="timeout"}'), 2)
  const failures = service.logs.filter(({ msg }) => msg === 'partner call failed')
  t.match(
    failures,
    Array.from({ length: 3 }, () => ({ err: { code: 'UND_ERR_CONNECT_TIMEOUT' } })),
  )
})

t.test('the reconciler asks at most RECONCILER_CONCURRENCY questions at once', async (t) => {
  let asking = 0
  let most = 0
  const partner = await startStandIn(t, {
    add: () => replies.process,
    async status() {
      asking += 1
      most = Math.max(most, asking)
      // A slow FreedomPay, so that the questions of all rows would meet here.
      await pause(500)
      asking -= 1
      return replies.created('client')
    },
  })
  const service = await startTestService(t, {
    partnerUrl: partner.url,
    settings: { RECONCILER_CONCURRENCY: '2', PARTNER_TIMEOUT_MS: '5000' },
  })
  const creates = Array.from({ length: 6 }, () => service.create({ phone }, { prefer: 'respond-async' }))
  for (const { statusCode } of await Promise.all(creates)) t.equal(statusCode, 202)
  const foundOut = async () => (await service.metrics()).get('clients_found_out_total{outcome="created"}')
  await until(foundOut, (count) => count === 6)
  t.equal(most, 2)
})

t.test('a finished create is forgotten after LEDGER_RETENTION_HOURS', async (t) => {
  const service = await startTestService(t, { settings: { LEDGER_RETENTION_HOURS: '2' } })
  const { body } = await service.create({ phone })
  const look = async () => (await service.get(`/clients/requests/${body.requestId}`)).statusCode
  t.equal(await look(), 200)
  await turnClocks(t, 2 * 3_600_000 + 60_000)
  await until(look, (statusCode) => statusCode === 404)
})

// Other systems have one address on the loopback.
const skip = process.platform !== 'linux' && 'this system has no second address on the loopback'

t.test('both listeners bind to HOST', { skip }, async (t) => {
  const { url, opsUrl } = await startTestService(t, { settings: { HOST: '127.0.0.2' } })
  for (const each of [`${url}/openapi.json`, `${opsUrl}/livez`]) {
    t.equal(new URL(each).hostname, '127.0.0.2')
    t.match(await call(each, 'GET', {}), { statusCode: 200 })
    await t.rejects(call(each.replace('127.0.0.2', '127.0.0.1'), 'GET', {}), { code: 'ECONNREFUSED' })
  }
})

t.test('without LEDGER_ACCOUNT the ledger belongs to the auth id and the host of FreedomPay', async (t) => {
  const settings = {
    LEDGER_URL: `sqlite:${makeLedgerFile(t)}`,
    LEDGER_KEY: 'a ledger key of thirty-two bytes.',
    LEDGER_ACCOUNT: '',
  }
  await (await startTestService(t, { settings })).stop()
  await (await startTestService(t, { settings })).stop()
  await t.rejects(startTestService(t, { settings: { ...settings, FREEDOMPAY_AUTH_ID: '2' } }), ForeignLedgerError)
  await t.rejects(startTestService(t, { settings, partnerUrl: 'http://localhost:1' }), ForeignLedgerError)
})
