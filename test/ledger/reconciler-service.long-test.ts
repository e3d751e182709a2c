/** The reconciler in a service of its own, on a ledger that a dead process left behind. */
import t, { type Test } from 'tap'
import type { Change, Ledger, Row } from '../../src/ledger/ledger.ts'
import { paths } from '../../src/partner/schema.ts'
import { makeDue } from '../fixtures/ledger-rows.ts'
import { makeLedgerFile, newClaim, openRedisLedger, openTestLedger, untilReachable } from '../fixtures/ledgers.ts'
import { skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'
import { addBody, fast, startSandbox } from '../fixtures/sandbox-caller.ts'
import { startTestService, type TestService } from '../fixtures/service.ts'
import { replies, startStandIn } from '../fixtures/stand-in-partner.ts'
import { until } from '../fixtures/until.ts'

// They mostly wait, and may do so together.
t.jobs = 20

t.test('a service stops although the partner leaves its questions unanswered', { buffered: true }, async (t) => {
  const path = makeLedgerFile(t)
  const ledger = await openTestLedger(t, `sqlite:${path}`)
  await makeDue(ledger, newClaim())
  const partner = await startStandIn(t, { status: () => new Promise(() => undefined) })
  const service = await startTestService(t, {
    partnerUrl: partner.url,
    settings: { ...ledgerSettings(`sqlite:${path}`), PARTNER_TIMEOUT_MS: '600000' },
  })
  await until(
    () => partner.questions.length,
    (count) => count > 0,
  )
  await t.resolves(service.stop())
})

t.test('what a dead process left behind is found out without sending', { buffered: true }, async (t) => {
  const url = `sqlite:${makeLedgerFile(t)}`
  const ledger = await openTestLedger(t, url)
  const partner = await startSandbox(t, { timings: fast })
  const rows: { name: string; phone?: string; change?: Change; expected: Record<string, unknown> }[] = [
    { name: 'sent and arrived', phone: '567', expected: { state: 'created', clientId: /^.{36}$/ } },
    { name: 'sent and never arrived', expected: { state: 'not-created' } },
    { name: 'unknown and arrived', phone: '567', change: { state: 'unknown' }, expected: { state: 'created' } },
    { name: 'unknown and never arrived', change: { state: 'unknown' }, expected: { state: 'not-created' } },
    {
      name: 'in work, then refused',
      phone: '013',
      change: { state: 'processing' },
      expected: { state: 'rejected', partnerCode: '1001', partnerDescription: undefined },
    },
    {
      name: 'created without an id',
      phone: '567',
      change: { state: 'created' },
      expected: { state: 'created', clientId: /^.{36}$/ },
    },
  ]
  const requestIds: string[] = []
  for (const { phone, change } of rows) {
    const claim = newClaim({ deadlineMs: 1 })
    requestIds.push(claim.requestId)
    await ledger.claim(claim)
    if (change !== undefined) await ledger.record(claim.requestId, claim.claimToken, change)
    if (phone !== undefined) await partner.send('add', addBody(phone, claim.requestId))
  }
  // Claimed just now, so whoever claimed it may be about to send it.
  const fresh = newClaim()
  await ledger.claim(fresh)
  const sentBefore = partner.received.length
  const service = await startTestService(t, { partnerUrl: partner.origin, settings: ledgerSettings(url) })
  t.ok(((await service.metrics()).get('ledger_unresolved') ?? 0) > 0)

  await until(
    () => Promise.all(requestIds.map((requestId) => ledger.find(requestId))),
    (found) => found.every((row, i) => row?.state === rows[i]?.expected.state && isSettled(row)),
  )
  for (const [i, { name, expected }] of rows.entries()) t.match(await ledger.find(requestIds[i] ?? ''), expected, name)
  const asked = partner.received.slice(sentBefore)
  t.ok(
    asked.every(({ path }) => path === paths.status),
    'only questions',
  )
  t.notOk(asked.some(({ body }) => body.includes(fresh.requestId)))
  t.equal((await service.metrics()).get('ledger_unresolved'), 0)
  t.equal((await service.metrics()).get('ledger_oldest_unresolved_seconds'), 0)
})

function isSettled(row: Row | undefined): boolean {
  return row?.state !== 'created' || row.clientId !== undefined
}

t.test('what the partner called a duplicate is never taken for absent', { buffered: true }, async (t) => {
  const url = `sqlite:${makeLedgerFile(t)}`
  const ledger = await openTestLedger(t, url)
  const [acknowledged, other] = [newClaim(), newClaim()]
  await makeDue(ledger, acknowledged, { state: 'unknown', isAcknowledged: true })
  await makeDue(ledger, other)
  const partner = await startStandIn(t)
  await startTestService(t, { partnerUrl: partner.url, settings: ledgerSettings(url) })
  await until(
    () => ledger.find(other.requestId),
    (row) => row?.state === 'not-created',
  )
  await until(
    () => partner.questions.filter(({ request_id }) => request_id === acknowledged.requestId).length,
    (count) => count >= 2,
  )
  t.match(await ledger.find(acknowledged.requestId), { state: 'unknown' })
})

async function askTogether(t: Test, url: string, ledger: Ledger): Promise<void> {
  const partner = await startStandIn(t, { status: async ({ request_id }) => replies.created(request_id) })
  const claims = Array.from({ length: 24 }, () => newClaim())
  await Promise.all(claims.map((claim) => makeDue(ledger, claim)))
  const rows = claims.map(({ requestId }) => requestId)
  const start = () => startTestService(t, { partnerUrl: partner.url, settings: ledgerSettings(url) })
  const services: TestService[] = await Promise.all([start(), start()])
  for (const service of services) {
    await until(
      () => service.metrics(),
      (metrics) => metrics.get('ledger_unresolved') === 0,
    )
  }
  t.strictSame(partner.questions.map(({ request_id }) => request_id).toSorted(), rows.toSorted(), 'each asked once')
  for (const requestId of rows) t.equal((await ledger.find(requestId))?.clientId, requestId)
}

t.test('two services on one SQLite file ask about each row once', { buffered: true }, async (t) => {
  const url = `sqlite:${makeLedgerFile(t)}`
  await askTogether(t, url, await openTestLedger(t, url))
})

t.test('two services on one Redis ask about each row once', { buffered: true, skip: skipRedis }, async (t) => {
  const { url } = await startRedis(t, { onDisk: false })
  await askTogether(t, url, await openRedisLedger(t, url))
})

t.test('two services on one PostgreSQL ask about each row once', { buffered: true, skip: skipPostgres }, async (t) => {
  const { url } = await startPostgres(t)
  const ledger = await openTestLedger(t, url)
  await untilReachable(ledger)
  await askTogether(t, url, ledger)
})

/** With a time-out that no slow machine reaches: whoever gets no answer asks again. */
function ledgerSettings(url: string): Record<string, string> {
  return {
    LEDGER_URL: url,
    LEDGER_KEY: 'a ledger key of thirty-two bytes.',
    PARTNER_TIMEOUT_MS: '20000',
    PARTNER_ABSENT_MS: '100',
    PARTNER_DOUBT_MS: '100',
  }
}
