/** What may be recorded: a row only moves forward. */
import t from 'tap'
import type { Recorded, Row } from '../../../src/ledger/ledger.ts'
import { isOverdue } from '../../../src/ledger/rules.ts'
import { predecessors, type Recordable, type State } from '../../../src/ledger/states.ts'
import { bringTo, changeTo, everyState, postponement, recordable, standing } from '../../fixtures/ledger-rows.ts'
import { forEachEngine, newClaim, newKeyedClaim } from '../../fixtures/ledgers.ts'

/** Where each state may lead, written out: what the callers are told depends on it. */
const forward: Record<State, readonly Recordable[]> = {
  sent: ['unknown', 'not-created', 'processing', 'rejected', 'created'],
  unknown: ['not-created', 'processing', 'rejected', 'created'],
  'not-created': ['processing', 'rejected', 'created'],
  processing: ['rejected', 'created'],
  rejected: ['created'],
  created: [],
}

function pickRecorded(row: Recorded | undefined): Recorded | undefined {
  if (row === undefined) return undefined
  const { requestId, state, clientId, partnerCode, partnerDescription, updatedAtMs } = row
  return { requestId, state, clientId, partnerCode, partnerDescription, updatedAtMs }
}

t.test('the table of predecessors is what these tests say', async (t) => {
  for (const from of everyState) {
    const to = recordable.filter((state) => (predecessors[state] as readonly State[]).includes(from))
    t.strictSame(to.toSorted(), forward[from].toSorted(), from)
  }
})

forEachEngine(t, async (t, { open, elapse }) => {
  await t.test('each state moves forward only', async (t) => {
    const ledger = await open(t)
    for (const from of everyState) {
      for (const to of recordable) {
        const claim = newKeyedClaim()
        const before = await bringTo(ledger, claim, from)
        const change = changeTo(to)
        const recorded = await ledger.record(claim.requestId, claim.claimToken, change)
        const row = await ledger.find(claim.requestId)
        t.strictSame(pickRecorded(recorded?.row), pickRecorded(row), 'what is returned is what it then says')
        const name = `${from} to ${to}`
        if (forward[from].includes(to)) {
          t.equal(recorded?.was, from, name)
          const { clientId, partnerCode, partnerDescription } = change
          const texts = { clientId, partnerCode, partnerDescription }
          const { updatedAtMs } = row as Row
          t.strictSame(standing(row), { ...standing(before), state: to, ...texts, updatedAtMs }, name)
          t.equal(isOverdue(row as Row), true, 'the claim is over')
        } else {
          t.equal(recorded?.was, undefined, name)
          t.strictSame(standing(row), standing(before), `${name} changes nothing`)
        }
      }
    }
  })

  await t.test('what was inferred is corrected by FreedomPay’s word, and by no other inference', async (t) => {
    const ledger = await open(t)
    const words = [changeTo('created'), changeTo('processing'), { state: 'rejected', partnerCode: '7' }] as const
    for (const state of ['not-created', 'rejected'] as const) {
      for (const word of words) {
        const claim = newKeyedClaim()
        await ledger.claim(claim)
        const { requestId, claimToken } = claim
        await ledger.record(requestId, claimToken, { state, isInferred: true, partnerCode: '1' })
        const inferred = await ledger.find(requestId)
        t.match(inferred, { state, isInferred: true })
        for (const own of ['unknown', 'not-created'] as const) {
          t.equal((await ledger.record(requestId, claimToken, { state: own, isInferred: true }))?.was, undefined)
        }
        t.strictSame(standing(await ledger.find(requestId)), standing(inferred))
        t.match(await ledger.record(requestId, 'of an earlier claim', word), { was: state, row: word })
        t.match(await ledger.find(requestId), { ...word, isInferred: false, asks: 0 }, `${state} to ${word.state}`)
      }
    }
    const claim = newClaim()
    await ledger.claim(claim)
    const { requestId, claimToken } = claim
    const doubtful = { state: 'rejected', partnerCode: '1', isInferred: true } as const
    await ledger.record(requestId, claimToken, doubtful)
    t.equal((await ledger.record(requestId, claimToken, doubtful))?.was, undefined, 'the same again is no correction')
    await ledger.record(requestId, claimToken, { state: 'rejected', partnerCode: '2' })
    t.equal((await ledger.record(requestId, claimToken, changeTo('processing')))?.was, undefined, 'now it is definite')
  })

  await t.test('a client created without an id gets it later, and never another', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    await ledger.claim(claim)
    const { requestId, claimToken } = claim
    t.match(await ledger.record(requestId, claimToken, { state: 'created' }), {
      row: { state: 'created', clientId: undefined },
      was: 'sent',
    })
    const created = await ledger.find(requestId)
    t.equal((await ledger.record(requestId, claimToken, { state: 'created' }))?.was, undefined)
    t.strictSame(standing(await ledger.find(requestId)), standing(created), 'without one nothing is learnt')
    await ledger.postpone(postponement(claim))
    t.match(await ledger.takeDue(60_000, 10), [{ requestId, asks: 1 }], 'until then it is asked about')
    t.equal((await ledger.stats()).unresolved, 0, 'but it is resolved')

    const learnt = await ledger.record(requestId, 'other', { state: 'created', clientId: 'first' })
    t.match(learnt, { row: { clientId: 'first' }, was: 'created' })
    const late = await ledger.record(requestId, claimToken, { state: 'created', clientId: 'second' })
    t.match(late, { row: { clientId: 'first' }, was: undefined })
    await ledger.postpone(postponement(claim))
    t.strictSame(await ledger.takeDue(60_000, 10), [], 'now it is not asked about any more')
  })

  await t.test('that FreedomPay has the request is never forgotten', async (t) => {
    const ledger = await open(t)
    const recorded = newClaim()
    await ledger.claim(recorded)
    await ledger.record(recorded.requestId, recorded.claimToken, { state: 'unknown', isAcknowledged: true })
    const postponed = newClaim()
    await bringTo(ledger, postponed, 'unknown')
    await ledger.postpone(postponement(postponed, { isAcknowledged: true }))
    for (const claim of [recorded, postponed]) {
      await ledger.postpone(postponement(claim))
      t.match(await ledger.find(claim.requestId), { isAcknowledged: true })
      await ledger.record(claim.requestId, claim.claimToken, { state: 'processing' })
      t.match(await ledger.find(claim.requestId), { isAcknowledged: true })
    }
  })

  await t.test('doubts are kept with the time of the first, until they end or something is learnt', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    const { requestId, claimToken } = claim
    await bringTo(ledger, claim, 'unknown')
    const doubtedForMs = async () => Math.round((await ledger.find(requestId))?.doubtedForMs ?? -1)
    await ledger.postpone(postponement(claim, { doubts: 0 }))
    t.equal(await doubtedForMs(), 0)
    await elapse(t, 30_000)
    await ledger.postpone(postponement(claim, { doubts: 1 }))
    t.ok((await doubtedForMs()) < 20_000, 'they begin with the first')
    await elapse(t, 40_000)
    await ledger.postpone(postponement(claim, { doubts: 2, pauseMs: 1000 }))
    const ms = await doubtedForMs()
    t.ok(ms >= 40_000 && ms < 60_000, `${ms} ms`)
    t.match(await ledger.find(requestId), { doubts: 2 })
    await ledger.postpone(postponement(claim, { doubts: 0 }))
    t.match(await ledger.find(requestId), { doubts: 0, doubtedForMs: 0 })
    await ledger.postpone(postponement(claim, { doubts: 1 }))
    t.ok((await doubtedForMs()) < 20_000, 'and begin anew')
    await ledger.record(requestId, claimToken, { state: 'processing' })
    t.match(await ledger.find(requestId), { doubts: 0, doubtedForMs: 0 })
  })

  await t.test('a row knows how long ago something was last learnt', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    const sinceUpdateMs = async () => (await ledger.find(claim.requestId))?.sinceUpdateMs ?? NaN
    await bringTo(ledger, claim, 'unknown')
    await elapse(t, 100_000)
    const ms = await sinceUpdateMs()
    t.ok(ms >= 100_000 && ms < 150_000, `${ms} ms`)
    await ledger.postpone(postponement(claim))
    t.ok((await sinceUpdateMs()) >= 100_000, 'a question that learnt nothing is no news')
    await ledger.record(claim.requestId, claim.claimToken, { state: 'processing' })
    t.ok((await sinceUpdateMs()) < 50_000)
  })

  await t.test('texts come back as they were given', async (t) => {
    const ledger = await open(t)
    const texts = [
      'a',
      'кирилл ўзбек',
      '客户 🙂',
      '\u0000\u0001\n',
      '"\'\\{}',
      '\ufffd',
      '1e400',
      ' ',
      '%00',
      'x'.repeat(5000),
    ]
    for (const text of texts) {
      const claim = newKeyedClaim({ caller: text })
      await ledger.claim(claim)
      const rejected = { state: 'rejected', partnerCode: text, partnerDescription: text } as const
      t.match(await ledger.record(claim.requestId, claim.claimToken, rejected), { row: rejected })
      t.match(await ledger.find(claim.requestId), { ...rejected, caller: text })
      const created = await ledger.record(claim.requestId, claim.claimToken, { state: 'created', clientId: text })
      t.match(created, { row: { clientId: text, partnerCode: undefined } })
      const row = await ledger.findByKey(claim.keyId ?? '')
      t.strictSame([row?.clientId, row?.partnerCode, row?.partnerDescription], [text, undefined, undefined])
    }
  })

  await t.test('nothing is known of a request_id that was never claimed', async (t) => {
    const ledger = await open(t)
    const claim = newClaim()
    t.equal(await ledger.find(claim.requestId), undefined)
    t.equal(await ledger.record(claim.requestId, '', changeTo('created')), undefined)
    await ledger.postpone(postponement({ ...claim, claimToken: '' }))
    t.strictSame(await ledger.takeDue(1000, 10), [])
    t.equal(await ledger.find(claim.requestId), undefined)
  })
})
