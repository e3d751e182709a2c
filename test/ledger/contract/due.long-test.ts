/** Which rows are asked about, when, and by whom. */
import t from 'tap'
import type { Change, Ledger } from '../../../src/ledger/ledger.ts'
import { firstAskAfterMs, firstAskMs, graceMs, inferredAsksAtMs } from '../../../src/ledger/rules.ts'
import { bringTo, changeTo, makeDue, postponement, recordable, renewal } from '../../fixtures/ledger-rows.ts'
import { forEachEngine, newClaim } from '../../fixtures/ledgers.ts'

const minuteMs = 60_000

forEachEngine(t, async (t, { open, elapse }) => {
  const idsOf = (rows: readonly { requestId: string }[]) => rows.map(({ requestId }) => requestId)

  await t.test('a row is due only when its claim’s time and the grace are over', async (t) => {
    const ledger = await open(t)
    const claim = newClaim({ deadlineMs: minuteMs })
    await ledger.claim(claim)
    await elapse(t, minuteMs + graceMs - 1000)
    t.strictSame(await ledger.takeDue(minuteMs, 10), [], 'the holder still has time')
    await elapse(t, 1001)
    const [row] = await ledger.takeDue(minuteMs, 10)
    t.match(row, { requestId: claim.requestId, state: 'sent', asks: 1 })
    t.ok((row?.sinceLastSendMs ?? 0) >= graceMs)
  })

  await t.test('each outcome is asked about for the first time when its pause is over', async (t) => {
    const ledger = await open(t)
    const changes: [Change, number | undefined][] = [
      [{ state: 'unknown' }, firstAskMs],
      [{ state: 'processing' }, firstAskMs],
      [{ state: 'created' }, firstAskMs],
      [{ state: 'created', clientId: 'x' }, undefined],
      [{ state: 'rejected', partnerCode: '1' }, undefined],
      [{ state: 'not-created' }, undefined],
      [{ state: 'rejected', isInferred: true }, 60_000],
      [{ state: 'not-created', isInferred: true }, 60_000],
    ]
    for (const [change, pauseMs] of changes) {
      t.equal(firstAskAfterMs(change), pauseMs)
      const claim = newClaim()
      await ledger.claim(claim)
      await ledger.record(claim.requestId, claim.claimToken, change)
      await elapse(t, Math.max(0, (pauseMs ?? 0) - 900))
      t.strictSame(await ledger.takeDue(1000 * minuteMs, 10), [], JSON.stringify(change))
      await elapse(t, 5 * minuteMs)
      const due = idsOf(await ledger.takeDue(1000 * minuteMs, 10))
      t.strictSame(due, pauseMs === undefined ? [] : [claim.requestId], JSON.stringify(change))
    }
    t.equal(inferredAsksAtMs[0], 60_000)
  })

  await t.test('a due row is given to one taker, and to another when the lease is over', async (t) => {
    const ledgers = [await open(t), await open(t, { again: true })]
    const [ledger] = ledgers as [Ledger]
    const claims = Array.from({ length: 30 }, () => newClaim())
    for (const claim of claims) await makeDue(ledger, claim)
    const takes = Array.from({ length: 20 }, (_, i) => (ledgers[i % 2] as Ledger).takeDue(minuteMs, 4))
    const taken = await Promise.all(takes)
    t.strictSame(idsOf(taken.flat()).toSorted(), idsOf(claims).toSorted(), 'each once')
    t.ok(taken.every((rows) => rows.length <= 4))
    await elapse(t, minuteMs - 5000)
    t.strictSame(await ledger.takeDue(minuteMs, 100), [])
    await elapse(t, 5001)
    const again = await ledger.takeDue(minuteMs, 100)
    t.strictSame(idsOf(again).toSorted(), idsOf(claims).toSorted())
    t.ok(again.every(({ asks }) => asks === 2))
  })

  await t.test('no more rows are taken than asked for, and the longest due come first', async (t) => {
    const ledger = await open(t)
    const claims = Array.from({ length: 6 }, () => newClaim())
    for (const claim of claims) await makeDue(ledger, claim)
    for (const [i, claim] of claims.entries()) await ledger.postpone(postponement(claim, { pauseMs: -1000 * i }))
    const longestDueFirst = idsOf(claims).toReversed()
    t.strictSame(await ledger.takeDue(minuteMs, 0), [])
    t.strictSame(idsOf(await ledger.takeDue(minuteMs, 1)), longestDueFirst.slice(0, 1))
    t.strictSame(idsOf(await ledger.takeDue(minuteMs, 2)).toSorted(), longestDueFirst.slice(1, 3).toSorted())
    t.strictSame(idsOf(await ledger.takeDue(minuteMs, 10)).toSorted(), longestDueFirst.slice(3).toSorted())
  })

  await t.test('a row that was never asked about comes before all that were', async (t) => {
    const ledger = await open(t)
    const old = Array.from({ length: 5 }, () => newClaim())
    for (const claim of old) {
      await makeDue(ledger, claim)
      await ledger.postpone(postponement(claim, { asks: 7, pauseMs: -600_000 }))
    }
    const fresh = newClaim()
    await makeDue(ledger, fresh)
    t.strictSame(idsOf(await ledger.takeDue(minuteMs, 1)), [fresh.requestId])
    const second = newClaim()
    await makeDue(ledger, second)
    const some = await ledger.takeDue(minuteMs, 3)
    t.ok(idsOf(some).includes(second.requestId))
    t.equal(some.length, 3, 'those of both kinds are no more than asked for')
    const rest = await ledger.takeDue(minuteMs, 10)
    const again = [...some, ...rest].filter(({ requestId }) => requestId !== second.requestId)
    t.strictSame(idsOf(again).toSorted(), idsOf(old).toSorted())
    t.ok(again.every(({ asks }) => asks === 8))
  })

  await t.test('who took a row too long ago postpones it no more', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    await makeDue(ledger, claim)
    t.match(await ledger.takeDue(minuteMs, 1), [{ asks: 1 }])
    await elapse(t, minuteMs + 1000)
    t.match(await ledger.takeDue(minuteMs, 1), [{ asks: 2 }], 'its lease was over')
    await ledger.postpone(postponement(claim, { takenAsks: 1, asks: 1, doubts: 1, isAcknowledged: true }))
    t.match(await ledger.find(claim.requestId), { asks: 2, doubts: 0, isAcknowledged: false })
    t.strictSame(await ledger.takeDue(minuteMs, 1), [], 'the second taker has it still')
    await ledger.postpone(postponement(claim, { takenAsks: 2, asks: 2 }))
    t.match(await ledger.takeDue(minuteMs, 1), [{ asks: 3, isAcknowledged: false }])
  })

  await t.test('what is learnt about a row starts its questions anew', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    await makeDue(ledger, claim)
    await ledger.postpone(postponement(claim, { asks: 7 }))
    await ledger.record(claim.requestId, claim.claimToken, { state: 'processing' })
    t.match(await ledger.find(claim.requestId), { asks: 0 })
  })

  await t.test(
    'a postponed row is due when the pause is over, whatever fraction of a millisecond that is',
    async (t) => {
      const ledger = await open(t)
      const claim = newClaim()
      await makeDue(ledger, claim)
      await ledger.postpone(postponement(claim, { pauseMs: minuteMs + 0.3, asks: 3 }))
      t.strictSame(await ledger.takeDue(minuteMs, 10), [])
      await elapse(t, minuteMs + 1)
      t.match(await ledger.takeDue(minuteMs, 10), [{ requestId: claim.requestId, asks: 4 }])
    },
  )

  await t.test('without a pause there is no further question', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    await makeDue(ledger, claim, { state: 'not-created', isInferred: true })
    await ledger.postpone(postponement(claim, { pauseMs: undefined }))
    await ledger.postpone(postponement(claim))
    await elapse(t, 5 * minuteMs)
    t.strictSame(await ledger.takeDue(minuteMs, 10), [])
    t.match(await ledger.find(claim.requestId), { state: 'not-created', isInferred: true }, 'the row stands')
    t.ok(await ledger.renew(renewal(claim)), 'and can be sent again')
  })

  await t.test('a row that is settled or claimed anew is not brought back by postponing it', async (t) => {
    const ledger = await open(t)
    for (const state of recordable) {
      if (state === 'unknown' || state === 'processing') continue
      const claim = newClaim()
      await bringTo(ledger, claim, state)
      await ledger.postpone(postponement(claim))
      t.strictSame(await ledger.takeDue(minuteMs, 10), [], state)
    }
    const claim = newClaim()
    await ledger.claim(claim)
    await ledger.record(claim.requestId, claim.claimToken, changeTo('not-created'))
    await ledger.renew(renewal(claim))
    await ledger.postpone(postponement(claim))
    t.strictSame(await ledger.takeDue(minuteMs, 10), [], 'who has just claimed it is left alone')
  })
})
