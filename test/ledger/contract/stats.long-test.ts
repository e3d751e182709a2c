/** What is counted, and what is forgotten. */
import t from 'tap'
import { attentionAfterMs } from '../../../src/ledger/rules.ts'
import { bringTo, changeTo, everyState, makeDue, postponement, renewal } from '../../fixtures/ledger-rows.ts'
import { forEachEngine, newClaim, newKeyedClaim } from '../../fixtures/ledgers.ts'

const hourMs = 3_600_000
const retentionMs = 200 * hourMs

forEachEngine(t, async (t, { open, elapse }) => {
  await t.test('an empty ledger counts nothing', async (t) => {
    const ledger = await open(t)
    t.strictSame(await ledger.stats(), {
      unresolved: 0,
      oldestUnresolvedSeconds: 0,
      needsAttention: 0,
      oldestDueSeconds: 0,
    })
  })

  await t.test('unresolved is what no request works on and is not final, and for how long', async (t) => {
    const ledger = await open(t, { retentionMs })
    for (const state of everyState) await bringTo(ledger, newClaim(), state)
    t.equal((await ledger.stats()).unresolved, 2, 'unknown and processing')
    await elapse(t, hourMs)
    const { unresolved, oldestUnresolvedSeconds, needsAttention } = await ledger.stats()
    t.equal(unresolved, 3, 'the time of the sent one is over')
    t.ok(oldestUnresolvedSeconds >= 3600 && oldestUnresolvedSeconds < 3660, `${oldestUnresolvedSeconds} s`)
    t.equal(needsAttention, 0)
  })

  await t.test('what is unresolved for a day needs attention, until it is final or sent again', async (t) => {
    const ledger = await open(t, { retentionMs })
    const claims = Array.from({ length: 5 }, () => newClaim())
    for (const claim of claims) await bringTo(ledger, claim, 'unknown')
    await elapse(t, attentionAfterMs - 60_000)
    t.match(await ledger.stats(), { unresolved: 5, needsAttention: 0 })
    await bringTo(ledger, newClaim(), 'unknown')
    await elapse(t, 60_001)
    t.match(await ledger.stats(), { unresolved: 6, needsAttention: 5 })
    const [created, processing, sentAgain, absent] = claims as [(typeof claims)[0], ...typeof claims]
    await ledger.record(created.requestId, created.claimToken, changeTo('created'))
    if (processing) await ledger.record(processing.requestId, processing.claimToken, changeTo('processing'))
    if (sentAgain) t.ok(await ledger.renew(renewal(sentAgain)))
    if (absent) await ledger.record(absent.requestId, absent.claimToken, changeTo('not-created'))
    t.match(await ledger.stats(), { unresolved: 3, needsAttention: 2 }, 'a processing one waits on')
    const { oldestUnresolvedSeconds } = await ledger.stats()
    t.ok(oldestUnresolvedSeconds >= 86_400 && oldestUnresolvedSeconds < 86_500, `${oldestUnresolvedSeconds} s`)
  })

  await t.test('an inference that was wrong waits since it was sent', async (t) => {
    const ledger = await open(t, { retentionMs })
    const claim = newClaim()
    await bringTo(ledger, claim, 'unknown')
    await ledger.record(claim.requestId, claim.claimToken, { state: 'not-created', isInferred: true })
    await elapse(t, attentionAfterMs + 60_000)
    await bringTo(ledger, newClaim(), 'unknown')
    t.match(await ledger.stats(), { unresolved: 1, needsAttention: 0 })
    await ledger.record(claim.requestId, claim.claimToken, changeTo('processing'))
    const { unresolved, needsAttention, oldestUnresolvedSeconds } = await ledger.stats()
    t.strictSame([unresolved, needsAttention], [2, 1])
    t.ok(oldestUnresolvedSeconds >= 86_400, `${oldestUnresolvedSeconds} s`)
  })

  await t.test('a row that is sent again is as old as its last send', async (t) => {
    const ledger = await open(t, { retentionMs })
    const claim = newClaim()
    const { claimToken } = await bringTo(ledger, claim, 'unknown')
    await elapse(t, hourMs)
    t.equal((await ledger.stats()).unresolved, 1)
    t.ok(await ledger.renew(renewal({ ...claim, claimToken }, { deadlineMs: 60_000 })))
    t.match(await ledger.stats(), { unresolved: 0, oldestUnresolvedSeconds: 0 })
    await elapse(t, 100_000)
    const { unresolved, oldestUnresolvedSeconds: seconds } = await ledger.stats()
    t.equal(unresolved, 1)
    t.ok(seconds >= 40 && seconds < 90, `${seconds} s`)
  })

  await t.test('the reconciler is as late as the row that is due longest', async (t) => {
    const ledger = await open(t)
    const claims = [newClaim(), newClaim(), newClaim()]
    for (const claim of claims) await makeDue(ledger, claim)
    for (const [i, claim] of claims.entries()) {
      await ledger.postpone(postponement(claim, { pauseMs: [-60_000, -600_000, 600_000][i], asks: i }))
    }
    const late = async () => Math.round((await ledger.stats()).oldestDueSeconds / 60)
    t.equal(await late(), 10)
    await ledger.takeDue(hourMs, 1)
    t.equal(await late(), 10, 'the first went to the one that was never asked about')
    await ledger.takeDue(hourMs, 1)
    t.equal(await late(), 0, 'what is leased or not due yet is not late')
  })

  await t.test('only what is settled is forgotten after the retention', async (t) => {
    const ledger = await open(t, { retentionMs: hourMs })
    const claims = new Map(everyState.map((state) => [state, newKeyedClaim()]))
    for (const [state, claim] of claims) await bringTo(ledger, claim, state)
    const inferred = newKeyedClaim()
    const settled = newKeyedClaim()
    for (const claim of [inferred, settled]) {
      await ledger.claim(claim)
      await ledger.record(claim.requestId, claim.claimToken, { state: 'not-created', isInferred: true })
    }
    await ledger.postpone(postponement(settled, { pauseMs: undefined }))
    const withoutId = newKeyedClaim()
    await ledger.claim(withoutId)
    await ledger.record(withoutId.requestId, withoutId.claimToken, { state: 'created' })
    // These were settled once, and are not any more.
    const sentAgain = newKeyedClaim()
    await bringTo(ledger, sentAgain, 'not-created')
    await ledger.renew(renewal(sentAgain))
    const corrected = newKeyedClaim()
    await bringTo(ledger, corrected, 'not-created')
    await ledger.record(corrected.requestId, corrected.claimToken, changeTo('processing'))

    const isKept = async ({ requestId, keyId = '' }: typeof inferred) => {
      const [row, byKey] = await Promise.all([ledger.find(requestId), ledger.findByKey(keyId)])
      t.equal(row === undefined, byKey === undefined, 'the key goes with its row')
      return row !== undefined
    }
    const final = everyState.filter((state) => ['created', 'rejected', 'not-created'].includes(state))
    const forgotten = [...final.flatMap((state) => claims.get(state) ?? []), settled, withoutId]
    const kept = [...claims.values(), inferred, sentAgain, corrected].filter((claim) => !forgotten.includes(claim))
    await elapse(t, hourMs - 30_000)
    await ledger.forgetOld()
    for (const claim of [...forgotten, ...kept]) t.equal(await isKept(claim), true, 'before its time')
    await elapse(t, 60_000)
    await ledger.forgetOld()
    for (const claim of forgotten) t.equal(await isKept(claim), false)
    await t.resolves(ledger.forgetOld(), 'twice is as good as once')
    for (const claim of kept) t.equal(await isKept(claim), true)

    const due = await ledger.takeDue(hourMs, 100)
    t.strictSame(due.map(({ requestId }) => requestId).toSorted(), kept.map(({ requestId }) => requestId).toSorted())
    for (const claim of forgotten) {
      const again = await ledger.claim({ ...claim, fingerprint: 'other' })
      t.match(again, { isClaimed: true, row: { claims: 1, fingerprint: 'other' } }, 'it can be claimed as if new')
    }
  })

  await t.test('what is forgotten within the time of its claim is not counted afterwards', async (t) => {
    const ledger = await open(t, { retentionMs: 10_000 })
    await ledger.claim(newClaim({ deadlineMs: hourMs }))
    await bringTo(ledger, newClaim({ deadlineMs: 2 * hourMs }), 'created')
    await elapse(t, 60_000)
    await ledger.forgetOld()
    t.match(await ledger.stats(), { unresolved: 0 })
    await elapse(t, 3 * hourMs)
    t.match(await ledger.stats(), { unresolved: 1 })
  })
})
