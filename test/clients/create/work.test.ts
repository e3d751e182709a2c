/** A create that runs, and the waits of its callers: what each is told, and that no timer is left. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Settlement } from '../../../src/clients/answer.ts'
import { readLatest, Work, withinOwnWait, withinWait } from '../../../src/clients/create/work.ts'
import type { Ledger, Row } from '../../../src/ledger/ledger.ts'
import { openMemoryLedger } from '../../../src/ledger/memory.ts'
import type { State } from '../../../src/ledger/states.ts'
import { countTimers } from '../../fixtures/count-timers.ts'
import { startStory } from '../../fixtures/create-story.ts'

const { commandWith } = startStory()
const longMs = 60_000

async function claimRow(): Promise<{ ledger: Ledger; row: Row }> {
  const ledger = openMemoryLedger({ retentionMs: 3_600_000 })
  const { row } = await ledger.claim({
    requestId: 'a',
    keyId: 'key',
    caller: 'caller',
    fingerprint: 'print',
    claimToken: 'first',
    deadlineMs: longMs,
  })
  return { ledger, row }
}

/** A claimed create that ends when `settle` is called. */
async function startWork() {
  const { ledger, row } = await claimRow()
  const { promise, resolve: settle } = Promise.withResolvers<Settlement>()
  const work = new Work('a', 'print', () => promise)
  work.update({ row, how: 'new' })
  return { ledger, work, settle, settlement: { row: { ...row, state: 'created' }, how: 'new' } as Settlement }
}

t.test('a caller that waits is told the end, and its timer ends with the wait', async (t) => {
  const { ledger, work, settle, settlement } = await startWork()
  const timers = countTimers()
  const waiting = [
    withinWait(work, commandWith({ wait: longMs }), ledger.find),
    withinOwnWait(work, commandWith({ wait: longMs }), 0, ledger.find),
  ]
  t.equal(countTimers(), timers + waiting.length)
  settle(settlement)
  t.strictSame(await Promise.all(waiting), [settlement, settlement])
  t.equal(countTimers(), timers)
})

t.test('a create that FreedomPay accepts after its end starts no timer', async (t) => {
  const { ledger, work, settle, settlement } = await startWork()
  const timers = countTimers()
  const joined = withinOwnWait(work, commandWith(), longMs, ledger.find)
  settle(settlement)
  t.strictSame(await joined, settlement)
  work.acceptance.reach()
  await nextTurn()
  t.equal(countTimers(), timers)
})

t.test('a request that joins after FreedomPay has accepted the create waits as the setting says', async (t) => {
  const { ledger, work, settle, settlement } = await startWork()
  work.acceptance.reach()
  t.match(await withinOwnWait(work, commandWith({ wait: 'until-accepted' }), longMs, ledger.find), {
    row: { state: 'sent' },
  })
  const joined = withinOwnWait(work, commandWith(), longMs, ledger.find)
  settle(settlement)
  t.strictSame(await joined, settlement)
})

t.test('without its row in the ledger a create that runs is told as it was claimed', async (t) => {
  const { row } = await claimRow()
  const lost = openMemoryLedger({ retentionMs: 3_600_000 })
  const work = new Work('a', 'print', () => Promise.withResolvers<Settlement>().promise)
  t.equal(await readLatest(work, lost.find), undefined, 'nothing is claimed yet')
  work.update({ row, how: 'replayed' })
  t.match(await readLatest(work, lost.find), { row: { requestId: 'a', state: 'unknown' }, how: 'replayed' })
})

t.test(
  'a create that runs is told as the ledger has it, and as unknown until FreedomPay has accepted it',
  async (t) => {
    const { row } = await claimRow()
    const told = (state: State, later?: State) => {
      const work = new Work('a', 'print', () => Promise.withResolvers<Settlement>().promise)
      work.update({ row: { ...row, state }, how: 'new' })
      if (later !== undefined) work.update({ row: { ...row, state: later }, how: 'new' })
      return work.interim?.row.state
    }
    const states: State[] = ['sent', 'unknown', 'created', 'processing']
    t.strictSame(
      states.map((state) => told(state)),
      ['unknown', 'unknown', 'created', 'processing'],
    )
    t.strictSame(
      states.map((state) => told('sent', state)),
      ['unknown', 'unknown', 'created', 'processing'],
    )
  },
)

t.test('a create without a key has an empty fingerprint', async (t) => {
  const work = new Work('a', undefined, () => Promise.withResolvers<Settlement>().promise)
  t.equal(work.fingerprint, '')
})

t.test('a wait that ends before the claim is answered after the claim', async (t) => {
  const { ledger, row } = await claimRow()
  const work = new Work('a', 'print', () => Promise.withResolvers<Settlement>().promise)
  let answer: Settlement | undefined
  const waiting = withinWait(work, commandWith({ wait: 0 }), ledger.find).then((settlement) => {
    answer = settlement
  })
  await sleep(5)
  t.equal(answer, undefined, 'the caller could not read a create without a row')
  work.update({ row, how: 'new' })
  await waiting
  t.match(answer, { row: { requestId: 'a' }, how: 'new' })
})

t.test('a wait that ends before the ledger has answered gets the finished create that the ledger knows', async (t) => {
  const { ledger, row } = await claimRow()
  const { promise, resolve: settle } = Promise.withResolvers<Settlement>()
  const waiting = withinWait(new Work('a', 'print', () => promise), commandWith({ wait: 0 }), ledger.find)
  t.equal(await Promise.race([waiting, sleep(5, 'it waits')]), 'it waits')
  const replayed: Settlement = { row: { ...row, state: 'created', clientId: 'c' }, how: 'replayed' }
  settle(replayed)
  t.strictSame(await waiting, replayed)
})

t.test('respond-async is answered when FreedomPay has accepted the create, and not before', async (t) => {
  const { ledger, work } = await startWork()
  let isAnswered = false
  const waiting = withinWait(work, commandWith({ wait: 'until-accepted' }), ledger.find).then(() => {
    isAnswered = true
  })
  await sleep(5)
  t.notOk(isAnswered)
  work.acceptance.reach()
  await waiting
})
