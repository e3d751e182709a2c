/** What a running service counts on /metrics, where the counts need an outage, a wait, or a change of mind of FreedomPay's. */
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { makeLedgerFile, turnClocks } from '../fixtures/ledgers.ts'
import { phoneFor, startTestService, type TestService } from '../fixtures/service.ts'
import { createGate, replies, startStandIn } from '../fixtures/stand-in-partner.ts'
import { until } from '../fixtures/until.ts'

const body = { phone: phoneFor('567') }

/** Resolves when the sample has this value. */
const untilSample = (service: TestService, name: string, value: number) =>
  until(
    async () => (await service.metrics()).get(name),
    (seen) => seen === value,
  )

t.test('an outcome that was concluded from silence is counted as found out, and as corrected', async (t) => {
  let isThere = false
  const partner = await startStandIn(t, {
    add: () => 500,
    status: () => (isThere ? replies.created('client') : replies.noSuchRequest),
  })
  const service = await startTestService(t, {
    partnerUrl: partner.url,
    // Longer than the create may take, so that the reconciler concludes.
    settings: { PARTNER_RESEND: 'false', PARTNER_ABSENT_MS: '1500', REQUEST_DEADLINE_MS: '1000' },
  })
  const { body: told } = await service.create(body)
  t.equal(told.status, 'unknown')
  await untilSample(service, 'clients_found_out_total{outcome="not-created"}', 1)
  isThere = true
  // The first question about such a conclusion is due after a minute.
  await turnClocks(t, 61_000)
  await untilSample(service, 'clients_corrected_total{from="not-created",to="created"}', 1)
  t.equal((await service.metrics()).get('clients_found_out_total{outcome="created"}'), 1)
})

t.test('a create without an outcome for a day needs attention, and a question that is late is told', async (t) => {
  const gate = createGate()
  t.teardown(gate.open)
  const partner = await startStandIn(t, {
    add: () => replies.process,
    status: async () => {
      await gate.passed
      return replies.process
    },
  })
  const service = await startTestService(t, {
    partnerUrl: partner.url,
    settings: { RECONCILER_CONCURRENCY: '1', PARTNER_TIMEOUT_MS: '60000' },
  })
  t.match(await service.create(body, { prefer: 'respond-async' }), { statusCode: 202 })
  const before = await service.metrics()
  t.equal(before.get('ledger_needs_attention'), 0)
  t.ok((before.get('reconciler_oldest_due_seconds') ?? NaN) < 3600)
  // One question is on its way, so the reconciler has no place for the next.
  await until(() => partner.questions.length === 1)
  await turnClocks(t, 25 * 3_600_000)
  const samples = await service.metrics()
  t.equal(samples.get('ledger_needs_attention'), 1)
  t.equal(samples.get('ledger_unresolved'), 1)
  for (const name of ['reconciler_oldest_due_seconds', 'ledger_oldest_unresolved_seconds']) {
    const seconds = samples.get(name) ?? 0
    t.ok(seconds > 24 * 3600 && seconds < 25.5 * 3600, `${name} ${seconds}`)
  }
})

t.test('retries are counted by their reason, and failures of the ledger by their operation', async (t) => {
  const path = makeLedgerFile(t)
  const service = await startTestService(t, {
    // Nothing can listen here: the port is reserved.
    partnerUrl: 'http://127.0.0.1:1',
    settings: { LEDGER_URL: `sqlite:${path}`, LEDGER_KEY: 'a ledger key of thirty-two bytes.' },
  })
  t.match(await service.create(body), { statusCode: 503, body: { code: 'partner-unavailable' } })
  const samples = await service.metrics()
  t.equal(samples.get('partner_retries_total{reason="refused"}'), 2)
  const count = 'ledger_request_duration_seconds_count'
  t.equal(samples.get(`${count}{operation="claim",result="ok"}`), 1)
  t.equal(samples.get(`${count}{operation="claim",result="error"}`), 0)

  const other = new DatabaseSync(path)
  t.teardown(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  t.match(await service.create(body), { statusCode: 503, body: { code: 'ledger-unavailable' } })
  other.exec('COMMIT')
  const after = await service.metrics()
  t.equal(after.get(`${count}{operation="claim",result="error"}`), 1)
  t.equal(after.get(`${count}{operation="claim",result="ok"}`), 1)
})
