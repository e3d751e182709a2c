import fc from 'fast-check'
import t, { type Test } from 'tap'
import {
  type Change,
  type Claim,
  firstAskMs,
  graceMs,
  isOwnConclusion,
  type Ledger,
  predecessors,
  type Recordable,
  type Recorded,
  type Row,
  type State,
} from '../../src/ledger/ledger.ts'
import { engines, newClaim, type OpenTestLedger } from '../fixtures/ledgers.ts'
import { checkAsyncProperty } from '../fixtures/property.ts'
import { until } from '../fixtures/sandbox-caller.ts'

/** Where each state may lead, written out: what the callers are told depends on it. */
const forward: Record<State, readonly Recordable[]> = {
  sent: ['unknown', 'not-created', 'processing', 'rejected', 'created'],
  unknown: ['not-created', 'processing', 'rejected', 'created'],
  'not-created': ['processing', 'rejected', 'created'],
  processing: ['rejected', 'created'],
  rejected: ['created'],
  created: [],
}
const everyState = Object.keys(forward) as State[]
const recordable = Object.keys(predecessors) as Recordable[]

t.jobs = engines.length
for (const { name, skip, prepare, propertyRuns } of engines) {
  t.test(name, { skip, buffered: true }, async (t) => testContract(t, await prepare(t), propertyRuns))
}

async function testContract(t: Test, open: OpenTestLedger, propertyRuns: number) {
  await t.test('a new request_id is claimed, and the row says so', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    const { isClaimed, row } = await ledger.claim(claim)
    t.equal(isClaimed, true)
    const { requestId, caller, fingerprint } = claim
    t.match(row, { requestId, caller, fingerprint, state: 'sent', claims: 1, asks: 0, isOverdue: false })
    t.strictSame([row.clientId, row.partnerCode, row.partnerDescription], [undefined, undefined, undefined])
    t.ok(Math.abs(row.updatedAtMs - Date.now()) < 60_000, 'updatedAtMs is a time of day')
    t.strictSame(await ledger.find(requestId), row)
  })

  await t.test('of 50 concurrent claims through two doors exactly one wins', async (t) => {
    const ledgers = [await open(t), await open(t, { again: true })]
    const claim = newClaim()
    const results = await Promise.all(Array.from({ length: 50 }, (_, i) => (ledgers[i % 2] as Ledger).claim(claim)))
    t.equal(results.filter(({ isClaimed }) => isClaimed).length, 1)
    t.ok(results.every(({ row }) => row.state === 'sent' && row.claims === 1))
  })

  await t.test('a claimed request_id is not claimed again, whatever the body', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    const { row } = await ledger.claim(claim)
    t.strictSame(await ledger.claim(claim), { isClaimed: false, row })
    const other = await ledger.claim({ ...claim, caller: 'other', fingerprint: 'other' })
    t.strictSame(other, { isClaimed: false, row }, 'the first body and caller stand')
  })

  await t.test('not-created frees the claim for the same body, and nothing else does', async (t) => {
    const ledger = await open(t)
    for (const state of everyState) {
      const claim = newClaim()
      const before = await bringTo(ledger, claim, state)
      t.strictSame(await ledger.claim({ ...claim, fingerprint: 'other' }), { isClaimed: false, row: before }, state)
      const { isClaimed, row } = await ledger.claim(claim)
      t.equal(isClaimed, state === 'not-created', `${state} and the same body`)
      if (isClaimed) t.match(row, { state: 'sent', claims: 2, asks: 0, clientId: undefined, isOverdue: false })
      else t.strictSame(row, before)
    }
  })

  await t.test('each state moves forward only', async (t) => {
    const ledger = await open(t)
    for (const from of everyState) {
      for (const to of recordable) {
        const claim = newClaim()
        const before = await bringTo(ledger, claim, from)
        const change = changeTo(to)
        const recorded = await ledger.record(claim.requestId, 1, change)
        const row = await ledger.find(claim.requestId)
        t.strictSame(pickRecorded(recorded), pickRecorded(row), 'what is returned is what it then says')
        const name = `${from} to ${to}`
        if (forward[from].includes(to)) {
          const { clientId, partnerCode, partnerDescription } = change
          const { requestId, caller, fingerprint } = before
          const expected = { requestId, caller, fingerprint, claims: 1, asks: 0, isOverdue: true }
          t.match(row, { ...expected, state: to, clientId, partnerCode, partnerDescription }, name)
        } else {
          t.strictSame(row, before, `${name} changes nothing`)
        }
      }
    }
  })

  await t.test('the table of predecessors is what these tests say', async (t) => {
    const reversed = everyState.map((from) => [
      from,
      recordable.filter((to) => (predecessors[to] as readonly State[]).includes(from)),
    ])
    const sorted = Object.entries(forward).map(([from, to]) => [from, recordable.filter((state) => to.includes(state))])
    t.strictSame(reversed, sorted)
  })

  await t.test('who holds an earlier claim cannot conclude anything, but brings the partner’s word', async (t) => {
    const ledger = await open(t)
    for (const state of recordable) {
      const claim = newClaim()
      await bringTo(ledger, claim, 'not-created')
      const { row: claimedAgain } = await ledger.claim(claim)
      t.equal(claimedAgain.claims, 2)
      await ledger.record(claim.requestId, 1, changeTo(state))
      const late = await ledger.find(claim.requestId)
      if (isOwnConclusion(state)) t.strictSame(late, claimedAgain, `${state} of a claim that is over`)
      else t.match(late, { state, claims: 2 }, `${state} is the partner's word`)
      const own = await ledger.record(claim.requestId, 2, { state: 'not-created' })
      t.equal(own?.state, isOwnConclusion(state) ? 'not-created' : state)
    }
  })

  await t.test('a client created without an id gets it later, and never another', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    await ledger.claim(claim)
    const { requestId } = claim
    t.match(await ledger.record(requestId, 1, { state: 'created' }), { state: 'created', clientId: undefined })
    const created = await ledger.find(requestId)
    await ledger.record(requestId, 1, { state: 'created' })
    t.strictSame(await ledger.find(requestId), created, 'without one nothing is learnt')
    await ledger.postpone(requestId, 1, 0)
    t.match(await ledger.takeDue(0), { requestId, asks: 1 }, 'until then it is asked about')
    t.strictSame(await ledger.unresolved(), { count: 0, oldestSeconds: 0 }, 'but it is resolved')

    t.match(await ledger.record(requestId, 0, { state: 'created', clientId: 'first' }), { clientId: 'first' })
    t.match(await ledger.record(requestId, 1, { state: 'created', clientId: 'second' }), { clientId: 'first' })
    await ledger.postpone(requestId, 1, 0)
    t.equal(await ledger.takeDue(0), undefined, 'now it is not asked about any more')
  })

  await t.test('nothing is known of a request_id that nobody claimed', async (t) => {
    const ledger = await open(t)
    const { requestId } = newClaim()
    t.equal(await ledger.find(requestId), undefined)
    t.equal(await ledger.record(requestId, 1, changeTo('created')), undefined)
    await ledger.postpone(requestId, 1, 0)
    t.equal(await ledger.takeDue(1000), undefined)
    t.equal(await ledger.find(requestId), undefined)
  })

  await t.test('a row is due only when its claim’s time and the grace are over', async (t) => {
    const ledger = await open(t)
    const sent = newClaim({ deadlineMs: 200 })
    const unknown = newClaim()
    const working = newClaim()
    for (const claim of [sent, unknown, working]) await ledger.claim(claim)
    t.equal(await ledger.takeDue(1000), undefined)
    const { updatedAtMs: sentAt = 0 } = (await ledger.find(sent.requestId)) ?? {}
    const { updatedAtMs: unknownAt = 0 } = (await ledger.record(unknown.requestId, 1, { state: 'unknown' })) ?? {}

    const isTaken = (row: Row | undefined) => row !== undefined
    const first = await until(() => ledger.takeDue(60_000), isTaken)
    const firstMs = Date.now()
    const second = await until(() => ledger.takeDue(60_000), isTaken)
    const secondMs = Date.now()
    t.match(first, { requestId: unknown.requestId, state: 'unknown', asks: 1 })
    t.match(second, { requestId: sent.requestId, state: 'sent', asks: 1, isOverdue: true })
    t.ok(firstMs - unknownAt >= firstAskMs, `unknown: ${firstMs - unknownAt} ms`)
    t.ok(secondMs - sentAt >= 200 + graceMs, `sent: ${secondMs - sentAt} ms`)
    t.equal(await ledger.takeDue(0), undefined, 'whoever still has time is left alone')
  })

  await t.test('a due row is given to one taker, and to another when the lease is over', async (t) => {
    const ledgers = [await open(t), await open(t, { again: true })]
    const [ledger] = ledgers as [Ledger]
    const rows = [newClaim(), newClaim(), newClaim()]
    for (const claim of rows) await makeDue(ledger, claim)
    const taken = await Promise.all(Array.from({ length: 20 }, (_, i) => (ledgers[i % 2] as Ledger).takeDue(200)))
    const given = taken.filter((row) => row !== undefined).map(({ requestId }) => requestId)
    t.strictSame(given.toSorted(), rows.map(({ requestId }) => requestId).toSorted(), 'each once')

    const seen = await until(
      () => ledger.takeDue(60_000),
      (row) => row !== undefined,
    )
    t.equal(seen?.asks, 2, 'counted')
  })

  await t.test('the row that has waited longest comes first', async (t) => {
    const ledger = await open(t)
    const [first, second] = [newClaim(), newClaim()]
    await makeDue(ledger, second)
    await makeDue(ledger, first)
    await ledger.postpone(second.requestId, 1, 5)
    await ledger.postpone(first.requestId, 1, -1000)
    t.equal((await ledger.takeDue(60_000))?.requestId, first.requestId)
  })

  await t.test('a postponed row is due when the pause is over', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    await makeDue(ledger, claim)
    await ledger.postpone(claim.requestId, 1, 60_000)
    t.equal(await ledger.takeDue(0), undefined)
    await ledger.postpone(claim.requestId, 1, 0)
    t.match(await ledger.takeDue(0), { requestId: claim.requestId })
  })

  await t.test('a row that is final or was claimed anew is not brought back by postponing it', async (t) => {
    const ledger = await open(t)
    for (const state of ['created', 'rejected', 'not-created'] as const) {
      const claim = newClaim()
      await bringTo(ledger, claim, state)
      await ledger.postpone(claim.requestId, 1, 0)
      t.equal(await ledger.takeDue(0), undefined, state)
    }
    const claim = newClaim()
    await bringTo(ledger, claim, 'not-created')
    await ledger.claim(claim)
    await ledger.postpone(claim.requestId, 1, 0)
    t.equal(await ledger.takeDue(0), undefined, 'who has just claimed it is left alone')
  })

  await t.test('unresolved counts what is nobody’s work without being final, and how long', async (t) => {
    const ledger = await open(t)
    t.strictSame(await ledger.unresolved(), { count: 0, oldestSeconds: 0 })
    for (const state of everyState) await bringTo(ledger, newClaim(), state)
    t.equal((await ledger.unresolved()).count, 2, 'unknown and processing')
    await ledger.claim(newClaim({ deadlineMs: 1 }))
    const startedAt = Date.now()
    const { oldestSeconds } = await until(
      () => ledger.unresolved(),
      ({ count, oldestSeconds }) => count === 3 && oldestSeconds > 0.05,
    )
    t.ok(oldestSeconds < 60 + (Date.now() - startedAt) / 1000, `${oldestSeconds} s`)
  })

  await t.test('a final row is forgotten after the retention, and an unresolved one never', async (t) => {
    const ledger = await open(t, { retentionMs: 300 })
    const claims = new Map(everyState.map((state) => [state, newClaim()]))
    for (const [state, claim] of claims) {
      await ledger.claim(claim)
      if (state !== 'sent') await ledger.record(claim.requestId, 1, changeTo(state))
    }
    const withoutId = newClaim()
    await ledger.claim(withoutId)
    await ledger.record(withoutId.requestId, 1, { state: 'created' })
    // Both were final once, and are not any more; without a pause in which they would be forgotten.
    const claimedAgain = newClaim()
    await Promise.all([
      ledger.claim(claimedAgain),
      ledger.record(claimedAgain.requestId, 1, { state: 'not-created' }),
      ledger.claim(claimedAgain),
    ])
    const corrected = newClaim()
    await Promise.all([
      ledger.claim(corrected),
      ledger.record(corrected.requestId, 1, { state: 'not-created' }),
      ledger.record(corrected.requestId, 1, { state: 'processing' }),
    ])

    const isKept = async ({ requestId }: Claim) => (await ledger.find(requestId)) !== undefined
    const finals = (['created', 'rejected', 'not-created'] as const).map((state) => claims.get(state) as Claim)
    for (const claim of [...finals, withoutId]) {
      await until(
        async () => {
          await ledger.forgetOld()
          return isKept(claim)
        },
        (kept) => !kept,
      )
    }
    const unresolved = (['sent', 'unknown', 'processing'] as const).map((state) => claims.get(state) as Claim)
    for (const claim of [...unresolved, claimedAgain, corrected]) t.ok(await isKept(claim))

    await ledger.postpone(withoutId.requestId, 1, 0)
    const due = await until(
      () => ledger.takeDue(60_000),
      (row) => row !== undefined,
    )
    t.not(due?.requestId, withoutId.requestId, 'nobody asks about what is forgotten')
    const { isClaimed, row } = await ledger.claim(claims.get('created') as Claim)
    t.match({ isClaimed, row }, { isClaimed: true, row: { claims: 1 } }, 'what is forgotten can be claimed as if new')
  })

  await t.test('a ledger that can be reached answers a ping', async (t) => {
    const ledger = await open(t)
    await t.resolves(ledger.ping())
  })

  await t.test('any order of events only moves a row forward', async (t) => {
    const ledger = await open(t)
    await checkAsyncProperty(
      t,
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 24 }), async (events) => {
        const claim = newClaim()
        for (const event of events) await play(ledger, claim, event)
      }),
      propertyRuns,
    )
  })
}

async function bringTo(ledger: Ledger, claim: Claim, state: State): Promise<Row> {
  await ledger.claim(claim)
  if (state !== 'sent') await ledger.record(claim.requestId, 1, changeTo(state))
  return (await ledger.find(claim.requestId)) as Row
}

function pickRecorded(row: Recorded | undefined): Recorded | undefined {
  if (row === undefined) return undefined
  const { requestId, state, clientId, partnerCode, partnerDescription, updatedAtMs } = row
  return { requestId, state, clientId, partnerCode, partnerDescription, updatedAtMs }
}

async function makeDue(ledger: Ledger, claim: Claim): Promise<void> {
  await bringTo(ledger, claim, 'unknown')
  await ledger.postpone(claim.requestId, 1, 0)
}

function changeTo(state: Recordable): Change {
  switch (state) {
    case 'created':
      return { state, clientId: 'client-1' }
    case 'rejected':
      return { state, partnerCode: '1001', partnerDescription: 'no' }
    default:
      return { state }
  }
}

type Event =
  | { kind: 'claim'; fingerprint: string }
  | { kind: 'record'; state: Recordable; age: number; clientId: string | undefined }
  | { kind: 'postpone' }
  | { kind: 'take' }

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('claim' as const), fingerprint: fc.constantFrom('a', 'b') }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('record' as const),
      state: fc.constantFrom(...recordable),
      /** How many claims ago the recorder's own was. */
      age: fc.constantFrom(0, 0, 1, 2),
      clientId: fc.constantFrom(undefined, 'x', 'y'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('postpone' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take' as const) }) },
)

/** Does it, and throws where the row is then not where it was or further on. */
async function play(ledger: Ledger, { requestId, ...claim }: Claim, event: Event): Promise<void> {
  const before = await ledger.find(requestId)
  switch (event.kind) {
    case 'claim':
      await ledger.claim({ ...claim, requestId, fingerprint: event.fingerprint })
      break
    case 'record': {
      const { state, age, clientId } = event
      await ledger.record(requestId, (before?.claims ?? 1) - age, { state, clientId })
      break
    }
    case 'postpone':
      await ledger.postpone(requestId, before?.claims ?? 1, 0)
      break
    case 'take':
      await ledger.takeDue(0)
      break
    default:
      event satisfies never
  }
  const after = await ledger.find(requestId)
  if (!isForward(before, after, event)) {
    throw new Error(`${JSON.stringify(before)} became ${JSON.stringify(after)} by ${JSON.stringify(event)}`)
  }
}

function isForward(before: Row | undefined, after: Row | undefined, event: Event): boolean {
  if (before === undefined) return after === undefined || (event.kind === 'claim' && after.state === 'sent')
  if (after === undefined || after.requestId !== before.requestId || after.fingerprint !== before.fingerprint)
    return false
  if (event.kind === 'claim') {
    const isFree = before.state === 'not-created' && event.fingerprint === before.fingerprint
    return isFree ? after.state === 'sent' && after.claims === before.claims + 1 : isSame(before, after)
  }
  if (event.kind !== 'record' || after.claims !== before.claims) return isSame(before, after)
  if (event.age > 0 && isOwnConclusion(event.state)) return isSame(before, after)
  if (after.state !== before.state)
    return (predecessors[after.state as Recordable] as readonly State[]).includes(before.state)
  const isIdLearnt = after.state === 'created' && before.clientId === undefined && after.clientId !== undefined
  return isIdLearnt || isSame(before, after)
}

function isSame(before: Row, after: Row): boolean {
  const { state, claims, clientId, partnerCode, updatedAtMs } = before
  return (
    state === after.state &&
    claims === after.claims &&
    clientId === after.clientId &&
    partnerCode === after.partnerCode &&
    updatedAtMs === after.updatedAtMs
  )
}
