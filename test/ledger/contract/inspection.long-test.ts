/** What a person sees of the ledger, and which decisions of a person it takes. */
import { randomUUID } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import type { Decision, InspectedRow, RowFilter } from '../../../src/ledger/inspection.ts'
import { resolvable } from '../../../src/ledger/inspection.ts'
import type { Ledger, Row } from '../../../src/ledger/ledger.ts'
import type { State } from '../../../src/ledger/states.ts'
import { bringTo, changeTo, everyState, postponement, standing } from '../../fixtures/ledger-rows.ts'
import { forEachEngine, makeLedgerFile, newClaim, newKeyedClaim, openTestLedger } from '../../fixtures/ledgers.ts'

const decision = (state: Decision['state']): Decision => ({
  state,
  clientId: state === 'created' ? 'client-2' : undefined,
  by: 'ann',
  why: 'their manager said so',
})

/** A claim whose time is over as soon as it is made. */
const newOverdueClaim = () => newKeyedClaim({ deadlineMs: 0 })

/** Where a person may lead each state that FreedomPay or the service itself left behind. */
const allowed: Record<State, readonly Decision['state'][]> = {
  sent: ['created', 'rejected', 'not-created'],
  unknown: ['created', 'rejected', 'not-created'],
  'not-created': ['created', 'rejected'],
  processing: ['created', 'rejected'],
  rejected: ['created'],
  created: [],
}

async function listIds(ledger: Ledger, filter: RowFilter): Promise<string[]> {
  const ids: string[] = []
  for await (const { requestId } of ledger.list(filter)) ids.push(requestId)
  return ids.toSorted()
}

forEachEngine(t, async (t, { open, elapse }) => {
  await t.test('a decision moves a row forward and settles it, or changes nothing', async (t) => {
    const ledger = await open(t)
    for (const from of everyState) {
      for (const to of resolvable) {
        const claim = newOverdueClaim()
        const { requestId } = claim
        const before = await bringTo(ledger, claim, from)
        const resolved = await ledger.resolve(requestId, decision(to))
        const row = (await ledger.inspect(requestId)) as InspectedRow
        const name = `${from} to ${to}`
        t.strictSame(standing(resolved?.row), standing(row), `${name}: what is returned is what it then says`)
        if (!allowed[from].includes(to)) {
          t.equal(resolved?.was, undefined, name)
          t.strictSame(standing(row), standing(before), `${name} changes nothing`)
          t.equal(row.resolution, undefined)
          continue
        }
        const { clientId, by, why } = decision(to)
        t.equal(resolved?.was, from, name)
        t.match(row, { state: to, clientId, isInferred: true, nextAskInMs: undefined, resolution: { by, why } }, name)
        t.equal(row.resolution?.atMs, row.updatedAtMs)
        t.not(row.claimToken, claim.claimToken, 'an older claim draws no conclusion any more')
        await ledger.postpone(postponement(row, { takenAsks: row.asks }))
        t.equal((await ledger.inspect(requestId))?.nextAskInMs, undefined, 'and no late question brings it back')
      }
    }
  })

  await t.test('nothing asks about a resolved row, and no statistics count it', async (t) => {
    const ledger = await open(t)
    const claim = newOverdueClaim()
    await bringTo(ledger, claim, 'unknown')
    t.match(await ledger.stats(), { unresolved: 1 })
    await ledger.resolve(claim.requestId, decision('rejected'))
    t.match(await ledger.stats(), { unresolved: 0, needsAttention: 0 })
    await elapse(t, 100_000)
    t.strictSame(await ledger.takeDue(1000, 10), [])
    const { requestId, claimToken } = claim
    for (const own of [{ state: 'not-created', isInferred: true }, { state: 'unknown' }] as const) {
      t.equal((await ledger.record(requestId, claimToken, own))?.was, undefined, 'nor is anything concluded about it')
    }
  })

  await t.test('the rows that a person has decided are counted, also after FreedomPay’s own word', async (t) => {
    const ledger = await open(t)
    t.equal(await ledger.countResolved(), 0)
    const rows: Row[] = []
    for (let i = 0; i < 4; i++) rows.push(await bringTo(ledger, newOverdueClaim(), 'unknown'))
    t.equal(await ledger.countResolved(), 0)
    for (const { requestId } of rows.slice(0, 3)) await ledger.resolve(requestId, decision('rejected'))
    t.equal(await ledger.countResolved(), 3)
    const { requestId } = rows[0] as Row
    await ledger.resolve(requestId, decision('created'))
    await ledger.record(requestId, 'any', changeTo('created'))
    t.equal(await ledger.countResolved(), 3, 'each row once')
  })

  await t.test('a row that a request works on is no person’s to decide', async (t) => {
    const ledger = await open(t)
    const claim = newKeyedClaim()
    await ledger.claim(claim)
    t.match(await ledger.resolve(claim.requestId, decision('created')), { row: { state: 'sent' }, was: undefined })
    t.equal(await ledger.resolve(randomUUID(), decision('created')), undefined, 'nor one that is not there')
  })

  await t.test('what was inferred, and what a person has said, may be corrected by a person', async (t) => {
    const ledger = await open(t)
    for (const state of ['not-created', 'rejected'] as const) {
      const { requestId, claimToken } = await bringTo(ledger, newOverdueClaim(), 'unknown')
      await ledger.record(requestId, claimToken, { state, isInferred: true, partnerCode: '7' })
      for (const next of [...resolvable, ...resolvable.toReversed()]) {
        const resolved = await ledger.resolve(requestId, { ...decision(next), by: next })
        t.match(resolved, { row: { state: next, resolution: { by: next } }, was: /./ })
      }
    }
  })

  await t.test('FreedomPay’s own word corrects a person’s, and the decision stays on record', async (t) => {
    const words = {
      created: [changeTo('created'), changeTo('rejected')],
      rejected: [changeTo('created'), changeTo('rejected'), changeTo('processing')],
      'not-created': [changeTo('created'), changeTo('rejected'), changeTo('processing')],
    } as const
    const ledger = await open(t)
    for (const state of resolvable) {
      for (const word of words[state]) {
        const { requestId } = await bringTo(ledger, newOverdueClaim(), 'unknown')
        await ledger.resolve(requestId, decision(state))
        t.match(await ledger.record(requestId, 'any', word), { was: state, row: word }, `${state} to ${word.state}`)
        t.match(await ledger.inspect(requestId), { isInferred: false, resolution: { by: 'ann' } })
        if (word.state === 'processing') continue
        t.equal((await ledger.resolve(requestId, decision('not-created')))?.was, undefined, 'which is final')
      }
    }
    const { requestId } = await bringTo(ledger, newOverdueClaim(), 'unknown')
    await ledger.resolve(requestId, decision('created'))
    for (const word of [changeTo('processing'), { state: 'created' }] as const) {
      t.equal((await ledger.record(requestId, 'any', word))?.was, undefined, 'less than that corrects no client')
    }
  })

  await t.test('a key that a person has freed is claimed anew, once', async (t) => {
    const ledger = await open(t)
    const row = await bringTo(ledger, newOverdueClaim(), 'unknown')
    const resolved = await ledger.resolve(row.requestId, decision('not-created'))
    const { requestId } = row
    const renewal = { requestId, to: 'new', deadlineMs: 1000, mayHaveArrived: true }
    t.equal(await ledger.renew({ ...renewal, from: row.claimToken }), undefined, 'not by the claim of before')
    const renewed = await ledger.renew({ ...renewal, from: resolved?.row.claimToken ?? '' })
    t.match(renewed, { state: 'sent', isInferred: false, mayHaveArrived: true })
    t.match(await ledger.inspect(requestId), { resolution: { by: 'ann' } })
  })

  await t.test('a listing has each row of its states and age once', async (t) => {
    const ledger = await open(t)
    const ids = new Map<State, string[]>()
    for (const state of everyState) {
      const rows = await Promise.all(Array.from({ length: 30 }, () => bringTo(ledger, newOverdueClaim(), state)))
      ids.set(state, rows.map(({ requestId }) => requestId).toSorted())
    }
    for (const state of everyState) t.strictSame(await listIds(ledger, { states: [state] }), ids.get(state), state)
    t.strictSame(await listIds(ledger, { states: everyState }), [...ids.values()].flat().toSorted())
    await elapse(t, 60_000)
    const young = newClaim({ deadlineMs: 60_000 })
    await ledger.claim(young)
    t.strictSame(await listIds(ledger, { states: ['sent'], olderThanMs: 30_000 }), ids.get('sent'))
    t.strictSame(await listIds(ledger, { states: ['sent'] }), [...(ids.get('sent') ?? []), young.requestId].toSorted())
  })

  await t.test('a listing of more than a page is whole, while rows come and go', { timeout: 60_000 }, async (t) => {
    const ledger = await open(t)
    const rows: Row[] = []
    // No more at once than a pool has patience for.
    while (rows.length < 1200) {
      const some = Array.from({ length: 40 }, () => bringTo(ledger, newOverdueClaim(), 'unknown'))
      rows.push(...(await Promise.all(some)))
    }
    const seen = new Set<string>()
    for await (const { requestId } of ledger.list({ states: ['unknown'] })) {
      t.notOk(seen.has(requestId))
      seen.add(requestId)
      if (seen.size === 10) await bringTo(ledger, newOverdueClaim(), 'created')
    }
    t.equal(seen.size, rows.length)
    await Promise.all(rows.slice(0, 20).map(({ requestId }) => ledger.resolve(requestId, decision('rejected'))))
    t.equal(await ledger.countResolved(), 20)
  })

  await t.test('when a row is asked about next', async (t) => {
    const ledger = await open(t)
    const row = await bringTo(ledger, newOverdueClaim(), 'unknown')
    await ledger.postpone(postponement(row, { pauseMs: 50_000, takenAsks: 0, asks: 3 }))
    const { nextAskInMs = 0, asks } = (await ledger.inspect(row.requestId)) as InspectedRow
    t.ok(nextAskInMs > 40_000 && nextAskInMs <= 50_000, `${nextAskInMs} ms`)
    t.equal(asks, 3)
    const created = await bringTo(ledger, newOverdueClaim(), 'created')
    t.equal((await ledger.inspect(created.requestId))?.nextAskInMs, undefined)
    t.equal(await ledger.inspect(randomUUID()), undefined)
  })
})

t.test('a listing of what is not final reads no other row of a SQLite file', async (t) => {
  const path = makeLedgerFile(t)
  const ledger = await openTestLedger(t, `sqlite:${path}`)
  await bringTo(ledger, newOverdueClaim(), 'unknown')
  const database = new DatabaseSync(path)
  t.teardown(() => database.close())
  const plan = database
    .prepare(
      `EXPLAIN QUERY PLAN SELECT * FROM request INDEXED BY request_unresolved
       WHERE state IN ('sent', 'unknown', 'processing') AND request_id > ? ORDER BY request_id LIMIT 500`,
    )
    .all('')
  t.match(JSON.stringify(plan), /SCAN request USING INDEX request_unresolved/)
})
