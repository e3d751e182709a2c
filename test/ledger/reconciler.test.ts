import fc from 'fast-check'
import t, { type Test } from 'tap'
import { duplicateMark } from '../../src/clients/create/find-out.ts'
import type { Change, Ledger, Row } from '../../src/ledger/ledger.ts'
import { pauseAfter, type ReconcilerParts, startReconciler } from '../../src/ledger/reconciler.ts'
import { paths } from '../../src/partner/schema.ts'
import { makeLedgerFile, newClaim, openRedisLedger, openTestLedger } from '../fixtures/ledgers.ts'
import { checkProperty } from '../fixtures/property.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'
import { addBody, fast, startSandbox, until } from '../fixtures/sandbox-caller.ts'
import { startTestService, type TestService } from '../fixtures/service.ts'
import { createGate, replies, startStandIn } from '../fixtures/stand-in-partner.ts'

const minuteMs = 60_000

interface LoggedLine {
  level: 'info' | 'warn'
  fields: Record<string, unknown>
  message: string
}

function start(t: Test, ledger: Ledger, findOut: ReconcilerParts['findOut'], leaseMs = minuteMs) {
  const logs: LoggedLine[] = []
  const log = {
    info: (fields: LoggedLine['fields'], message: string) => void logs.push({ level: 'info', fields, message }),
    warn: (fields: LoggedLine['fields'], message: string) => void logs.push({ level: 'warn', fields, message }),
  }
  const reconciler = startReconciler({ ledger, findOut, leaseMs, log })
  t.teardown(() => reconciler.stop())
  return { reconciler, logs }
}

/** A row that is due now. */
async function makeDue(ledger: Ledger, change: Change = { state: 'unknown' }): Promise<string> {
  const { requestId } = newClaim()
  await ledger.claim(newClaim({ requestId }))
  await ledger.record(requestId, 1, change)
  await ledger.postpone(requestId, 1, 0)
  return requestId
}

const created: Change = { state: 'created', clientId: 'client-1' }

t.test('pauses double from a second to five minutes, less up to a half by chance', async (t) => {
  const longest = [1000, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]
  t.strictSame(
    longest.map((_, asks) => pauseAfter(asks, () => 1)),
    longest,
  )
  t.strictSame(
    longest.map((_, asks) => pauseAfter(asks, () => 0)),
    longest.map((ms) => ms / 2),
  )
  checkProperty(
    t,
    fc.property(fc.nat(2000), (asks) => {
      const ms = pauseAfter(asks)
      return Number.isInteger(ms) && ms >= 500 && ms <= 300_000
    }),
  )
})

// Alone, as it turns the clock for everybody.
await t.test('what is old is forgotten once a minute', async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  let aheadMs = 0
  const now = performance.now.bind(performance)
  t.intercept(performance, 'now', { value: () => now() + aheadMs })
  let times = 0
  const counting: Ledger = {
    ...ledger,
    async forgetOld() {
      times += 1
    },
  }
  let takes = 0
  counting.takeDue = async (leaseMs) => {
    takes += 1
    return ledger.takeDue(leaseMs)
  }
  const { reconciler } = start(t, counting, async () => undefined)
  const turn = async () => {
    const before = takes
    await until(
      () => takes,
      (count) => count > before,
    )
  }
  await turn()
  t.equal(times, 0)
  for (const minutes of [1, 2]) {
    aheadMs = minutes * (minuteMs + 1)
    await turn()
    await turn()
    t.equal(times, minutes)
  }
  await reconciler.stop()
})

// The rest mostly waits, and may do so together.
t.jobs = 20

t.test('a row is asked about with growing pauses until it is final', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  const pauses: number[] = []
  const impatient: Ledger = {
    ...ledger,
    async postpone(requestId, claims, pauseMs) {
      pauses.push(pauseMs)
      await ledger.postpone(requestId, claims, 0)
    },
  }
  const answers: (Change | undefined)[] = [undefined, { state: 'processing' }, undefined, created]
  const asked: Row[] = []
  const requestId = await makeDue(ledger)
  const { reconciler, logs } = start(t, impatient, async (row) => answers[asked.push(row) - 1])
  await until(
    () => ledger.find(requestId),
    (row) => row?.state === 'created',
  )
  await reconciler.stop()
  t.strictSame(
    asked.map(({ state, asks }) => [state, asks]),
    [
      ['unknown', 1],
      ['unknown', 2],
      ['processing', 3],
      ['processing', 4],
    ],
  )
  for (const [i, ms] of pauses.entries()) t.ok(ms >= 500 * 2 ** i && ms <= 1000 * 2 ** i, `pause ${i + 1}: ${ms} ms`)
  t.strictSame(logs, [
    { level: 'info', fields: { requestId, state: 'created', asks: 4 }, message: 'outcome found out' },
  ])
})

t.test('it asks about several rows at a time, but not about all', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  const rows = await Promise.all(Array.from({ length: 20 }, () => makeDue(ledger)))
  const gate = createGate()
  let running = 0
  let most = 0
  start(t, ledger, async () => {
    running += 1
    most = Math.max(most, running)
    await gate.passed
    running -= 1
    return created
  })
  await until(
    () => running,
    (count) => count === 8,
  )
  gate.open()
  for (const requestId of rows) {
    await until(
      () => ledger.find(requestId),
      (row) => row?.state === 'created',
    )
  }
  t.equal(most, 8)
})

t.test('a create that was claimed anew while it was asked about is left alone', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  const claim = newClaim({ deadlineMs: 1 })
  const { requestId } = claim
  await ledger.claim(claim)
  await ledger.postpone(requestId, 1, 0)
  const asking = createGate()
  const answer = createGate()
  const { reconciler } = start(t, ledger, async () => {
    asking.open()
    await answer.passed
    return { state: 'not-created' }
  })
  await asking.passed
  // A caller came back with its key, found the same, and is now sending it.
  await ledger.record(requestId, 1, { state: 'not-created' })
  await ledger.claim({ ...claim, deadlineMs: minuteMs })
  answer.open()
  await reconciler.stop()
  t.match(await ledger.find(requestId), { state: 'sent', claims: 2 }, 'the key is not free')
  t.equal(await ledger.takeDue(0), undefined, 'and nobody asks before its time is over')
})

t.test('an outage of the ledger is said once, and afterwards it goes on', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  let outages = 0
  const failing: Ledger = {
    ...ledger,
    takeDue(leaseMs) {
      if (outages === 0) return ledger.takeDue(leaseMs)
      outages -= 1
      return Promise.reject(new Error('gone'))
    },
  }
  const { logs } = start(t, failing, async () => created)
  for (const outage of [1, 2]) {
    outages = 2
    await until(
      () => outages,
      (left) => left === 0,
    )
    const requestId = await makeDue(ledger)
    await until(
      () => ledger.find(requestId),
      (row) => row?.state === 'created',
    )
    const said = logs.filter(({ message }) => message === 'the reconciler cannot reach the ledger')
    t.equal(said.length, outage)
  }
})

t.test('a fault with one row is said, and the row comes again after its lease', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  const requestId = await makeDue(ledger)
  const fault = new Error('a fault')
  let asks = 0
  const findOut = async () => {
    asks += 1
    if (asks === 1) throw fault
    return created
  }
  const { logs } = start(t, ledger, findOut, 1)
  await until(
    () => ledger.find(requestId),
    (row) => row?.state === 'created',
  )
  t.match(logs[0], {
    level: 'warn',
    fields: { requestId, err: fault },
    message: 'asking what became of a create failed',
  })
})

t.test('it stops although an answer is still awaited, and says nothing of it', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  await makeDue(ledger)
  let isAsking = false
  const { reconciler, logs } = start(t, ledger, (_row, _log, signal) => {
    isAsking = true
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  await until(
    () => isAsking,
    (asking) => asking,
  )
  await reconciler.stop()
  t.strictSame(logs, [])
})

t.test('a service stops although the partner leaves its questions unanswered', { buffered: true }, async (t) => {
  const path = makeLedgerFile(t)
  const ledger = await openTestLedger(t, `sqlite:${path}`)
  await makeDue(ledger)
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
    if (change !== undefined) await ledger.record(claim.requestId, 1, change)
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
  const metrics = await service.metrics()
  t.equal(metrics.get('ledger_unresolved'), 0)
  t.equal(metrics.get('ledger_oldest_unresolved_seconds'), 0)
})

function isSettled(row: Row | undefined): boolean {
  return row?.state !== 'created' || row.clientId !== undefined
}

t.test('what the partner called a duplicate is never taken for absent', { buffered: true }, async (t) => {
  const url = `sqlite:${makeLedgerFile(t)}`
  const ledger = await openTestLedger(t, url)
  const duplicate = await makeDue(ledger, { state: 'unknown', partnerCode: duplicateMark })
  const other = await makeDue(ledger)
  const partner = await startStandIn(t)
  await startTestService(t, { partnerUrl: partner.url, settings: ledgerSettings(url) })
  await until(
    () => ledger.find(other),
    (row) => row?.state === 'not-created',
  )
  await until(
    () => partner.questions.filter(({ request_id }) => request_id === duplicate).length,
    (count) => count >= 2,
  )
  t.match(await ledger.find(duplicate), { state: 'unknown' })
})

async function askTogether(t: Test, url: string, ledger: Ledger): Promise<void> {
  const partner = await startStandIn(t, { status: async ({ request_id }) => replies.created(request_id) })
  const rows = await Promise.all(Array.from({ length: 24 }, () => makeDue(ledger)))
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

/** With a time-out that no slow machine reaches: whoever gets no answer asks again. */
function ledgerSettings(url: string): Record<string, string> {
  return { LEDGER_URL: url, LEDGER_KEY: 'a ledger key of thirty-two bytes.', PARTNER_TIMEOUT_MS: '20000' }
}
