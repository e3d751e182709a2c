/** Who may send: claims, and their renewal. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { Ledger, Row } from '../../../src/ledger/ledger.ts'
import { isOverdue } from '../../../src/ledger/rules.ts'
import {
  bringTo,
  changeTo,
  everyState,
  postponement,
  recordable,
  renewal,
  standing,
} from '../../fixtures/ledger-rows.ts'
import { forEachEngine, newClaim, newKeyedClaim } from '../../fixtures/ledgers.ts'

forEachEngine(t, async (t, { open, elapse }) => {
  await t.test('a new request_id is claimed, and the row says so', async (t) => {
    const ledger = await open(t)
    for (const claim of [newClaim(), newKeyedClaim()]) {
      const { isClaimed, row } = await ledger.claim(claim)
      t.equal(isClaimed, true)
      const { requestId, keyId, caller, fingerprint, claimToken } = claim
      t.strictSame(standing(row), {
        ...{ requestId, keyId, caller, fingerprint, claimToken, state: 'sent', claims: 1, asks: 0, doubts: 0 },
        ...{ clientId: undefined, partnerCode: undefined, partnerDescription: undefined },
        ...{ mayHaveArrived: false, isAcknowledged: false, isInferred: false },
        updatedAtMs: row.updatedAtMs,
      })
      t.equal(row.doubtedForMs, 0)
      t.equal(isOverdue(row), false)
      t.ok(row.sinceLastSendMs > -61_000 && row.sinceLastSendMs < -50_000, `${row.sinceLastSendMs} ms`)
      t.ok(Math.abs(row.updatedAtMs - Date.now()) < 60_000, 'updatedAtMs is a time of day')
      t.strictSame(standing(await ledger.find(requestId)), standing(row))
    }
  })

  await t.test('of 50 concurrent claims of one key through two doors exactly one wins', async (t) => {
    const ledgers = [await open(t), await open(t, { again: true })]
    const keyId = randomUUID()
    const claims = Array.from({ length: 50 }, (_, i) => newClaim({ keyId, fingerprint: `body ${i % 3}` }))
    const results = await Promise.all(claims.map((claim, i) => (ledgers[i % 2] as Ledger).claim(claim)))
    const winners = claims.filter((_, i) => results[i]?.isClaimed)
    t.equal(winners.length, 1)
    const [winner] = winners
    for (const { row } of results) t.match(row, { requestId: winner?.requestId, state: 'sent', claims: 1 })
    for (const claim of claims) {
      if (claim !== winner) t.equal(await ledgers[0]?.find(claim.requestId), undefined, 'who lost has no row')
    }
  })

  await t.test('of 50 concurrent claims of one request_id exactly one wins', async (t) => {
    const ledgers = [await open(t), await open(t, { again: true })]
    const claim = newClaim()
    const claims = Array.from({ length: 50 }, (_, i) => ({ ...claim, claimToken: `token ${i}` }))
    const results = await Promise.all(claims.map((claim, i) => (ledgers[i % 2] as Ledger).claim(claim)))
    t.equal(results.filter(({ isClaimed }) => isClaimed).length, 1)
    t.equal(new Set(results.map(({ row }) => row.claimToken)).size, 1)
  })

  await t.test('who claims a key with another body is told the first row, whatever its state', async (t) => {
    const ledger = await open(t)
    for (const state of everyState) {
      const first = newKeyedClaim()
      const before = await bringTo(ledger, first, state)
      const second = newClaim({ keyId: first.keyId, fingerprint: 'other', caller: 'other' })
      for (const claim of [second, { ...first, claimToken: 'other' }]) {
        const { isClaimed, row } = await ledger.claim(claim)
        t.equal(isClaimed, false, state)
        t.strictSame(standing(row), standing(before), `${state}: the first body, caller and token stand`)
      }
      t.equal(await ledger.find(second.requestId), undefined)
      t.strictSame(standing(await ledger.findByKey(first.keyId ?? '')), standing(before))
    }
  })

  await t.test('rows without a key never meet', async (t) => {
    const ledger = await open(t)
    const claims = [newClaim(), newClaim(), newClaim()]
    const results = await Promise.all(claims.map((claim) => ledger.claim(claim)))
    t.strictSame(
      results.map(({ isClaimed, row }) => [isClaimed, row.requestId, row.keyId]),
      claims.map(({ requestId }) => [true, requestId, undefined]),
    )
    for (const keyId of ['', randomUUID()]) t.equal(await ledger.findByKey(keyId), undefined)
  })

  await t.test('a renewal needs the token, and a state that may be sent again', async (t) => {
    const ledger = await open(t)
    for (const state of everyState) {
      const claim = newKeyedClaim()
      const before = await bringTo(ledger, claim, state)
      t.equal(await ledger.renew(renewal({ ...claim, claimToken: 'other' })), undefined, `${state}, another token`)
      t.strictSame(standing(await ledger.find(claim.requestId)), standing(before))
      const to = randomUUID()
      const renewed = await ledger.renew(renewal(claim, { to }))
      const isFree = state === 'sent' || state === 'unknown' || state === 'not-created'
      t.equal(renewed !== undefined, isFree, state)
      const after = await ledger.find(claim.requestId)
      if (isFree) {
        t.match(renewed, { state: 'sent', claims: 2, asks: 0, claimToken: to, keyId: claim.keyId, clientId: undefined })
        t.equal(isOverdue(renewed as Row), false)
        t.strictSame(standing(after), standing(renewed))
      } else {
        t.strictSame(standing(after), standing(before), 'nothing changed')
      }
    }
    t.equal(await ledger.renew(renewal(newClaim())), undefined, 'no such row')
  })

  await t.test('of many renewals of one token one succeeds', async (t) => {
    const ledgers = [await open(t), await open(t, { again: true })]
    const claim = newClaim()
    await ledgers[0]?.claim(claim)
    const attempts = Array.from({ length: 20 }, (_, i) => (ledgers[i % 2] as Ledger).renew(renewal(claim)))
    const renewed = (await Promise.all(attempts)).filter((row) => row !== undefined)
    t.equal(renewed.length, 1)
    t.strictSame(standing(await ledgers[1]?.find(claim.requestId)), standing(renewed[0]))
  })

  await t.test('that a send may have arrived is never forgotten, and every claim is counted', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    await ledger.claim(claim)
    let token = claim.claimToken
    for (const [i, mayHaveArrived] of [false, true, false].entries()) {
      const row = await ledger.renew(renewal({ ...claim, claimToken: token }, { mayHaveArrived }))
      t.match(row, { claims: i + 2, mayHaveArrived: i >= 1 })
      token = row?.claimToken ?? ''
    }
    await ledger.record(claim.requestId, token, { state: 'created', clientId: 'client-1' })
    t.match(await ledger.find(claim.requestId), { mayHaveArrived: true, claims: 4 })
  })

  await t.test('a renewal forgets doubts and inferences, and what was acknowledged stays', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    await ledger.claim(claim)
    const { requestId, claimToken } = claim
    await ledger.record(requestId, claimToken, { state: 'not-created', isInferred: true, isAcknowledged: true })
    await ledger.postpone(postponement(claim, { doubts: 2, asks: 3, pauseMs: 60_000 }))
    t.match(await ledger.find(requestId), { isInferred: true, doubts: 2, asks: 3 })
    const row = await ledger.renew(renewal(claim))
    t.match(row, { isInferred: false, doubts: 0, doubtedForMs: 0, asks: 0, isAcknowledged: true })
    await ledger.postpone(postponement(claim))
    t.strictSame(await ledger.takeDue(1000, 10), [], 'whoever lost the claim cannot bring its question on')
    await elapse(t, 61_000)
    t.strictSame(await ledger.takeDue(1000, 10), [], 'its holder may be recording the outcome')
    await elapse(t, 2000)
    t.match(await ledger.takeDue(1000, 10), [{ requestId, asks: 1 }], 'it is asked about after its time and the grace')
  })

  await t.test('a late holder concludes nothing, but brings FreedomPay’s word', async (t) => {
    const ledger = await open(t)
    const conclusions = [
      { state: 'unknown' },
      { state: 'not-created' },
      { state: 'not-created', isInferred: true },
      { state: 'rejected', partnerCode: '1001', isInferred: true },
    ] as const
    for (const change of conclusions) {
      const claim = newClaim()
      await ledger.claim(claim)
      const renewed = await ledger.renew(renewal(claim))
      const recorded = await ledger.record(claim.requestId, claim.claimToken, change)
      t.equal(recorded?.was, undefined)
      t.equal(recorded?.row.state, 'sent', 'it is told what stands')
      t.strictSame(standing(await ledger.find(claim.requestId)), standing(renewed), `${change.state} is not taken`)
      const own = await ledger.record(claim.requestId, renewed?.claimToken ?? '', change)
      t.equal(own?.was, 'sent', 'who holds the claim may')
    }
    for (const state of recordable) {
      if (state === 'unknown' || state === 'not-created') continue
      const claim = newClaim()
      await ledger.claim(claim)
      const renewed = await ledger.renew(renewal(claim))
      t.match(await ledger.record(claim.requestId, claim.claimToken, changeTo(state)), { was: 'sent', row: { state } })
      t.match(await ledger.find(claim.requestId), { state, claims: 2, claimToken: renewed?.claimToken })
    }
  })
})
