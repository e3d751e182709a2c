/** A ledger that is reached late: nothing of it is read or written until its owner is known. */
import t from 'tap'
import { ForeignLedgerError, type Ledger } from '../../src/ledger/ledger.ts'
import { openMemoryLedger } from '../../src/ledger/memory.ts'
import { createProbe } from '../../src/ledger/probe.ts'
import { callRows } from '../fixtures/ledgers.ts'

/** A ledger that fails until it is `back`, and the names of its methods that were called since. */
function createLateLedger(owner: string) {
  const memory = openMemoryLedger({ retentionMs: 1000 })
  const called: string[] = []
  let isBack = false
  const answer = (name: string) => async () => {
    if (!isBack) throw new Error('unreachable')
    called.push(name)
  }
  const late: Ledger = {
    ...memory,
    claim: (claim) => answer('claim')().then(() => memory.claim(claim)),
    renew: (change) => answer('renew')().then(() => memory.renew(change)),
    record: (...change) => answer('record')().then(() => memory.record(...change)),
    find: (requestId) => answer('find')().then(() => memory.find(requestId)),
    findByKey: (keyId) => answer('findByKey')().then(() => memory.findByKey(keyId)),
    takeDue: (...lease) => answer('takeDue')().then(() => memory.takeDue(...lease)),
    postpone: (change) => answer('postpone')().then(() => memory.postpone(change)),
    forgetOld: answer('forgetOld'),
    stats: () => answer('stats')().then(() => memory.stats()),
    countForAll: () => answer('countForAll')().then(() => ({ count: 1, endsInMs: 1 })),
    probe: answer('probe'),
    async adopt(account) {
      if (!isBack) throw new Error('unreachable')
      await memory.adopt(account)
    },
  }
  async function back(): Promise<void> {
    await memory.adopt(owner)
    isBack = true
  }
  return { late, called, back }
}

/** Calls each method that the service calls. Returns the errors, undefined where there is none. */
async function callEach(ledger: Ledger): Promise<unknown[]> {
  const ends = await Promise.allSettled([
    ...callRows(ledger),
    ledger.forgetOld(),
    ledger.stats(),
    ledger.countForAll?.('caller', 1000) ?? Promise.reject(new Error('not there')),
  ])
  return ends.map((end) => (end.status === 'rejected' ? end.reason : undefined))
}

const names = [
  'claim',
  'renew',
  'record',
  'find',
  'findByKey',
  'takeDue',
  'postpone',
  'forgetOld',
  'stats',
  'countForAll',
]

t.test('a ledger of another account that is reached late is never read or written, and is told', async (t) => {
  const { late, called, back } = createLateLedger('theirs')
  const probe = createProbe(late, 'ours')
  const warnings: unknown[] = []
  await probe.start({ warn: (...line: unknown[]) => void warnings.push(line) })
  t.equal(warnings.length, 1, 'an outage is no reason to end')
  t.match(
    await callEach(probe.ledger),
    names.map(() => ({ message: 'unreachable' })),
  )
  await back()
  t.match(
    await callEach(probe.ledger),
    names.map(() => ForeignLedgerError),
  )
  await t.rejects(probe.check(), ForeignLedgerError)
  t.match(await probe.foreign, ForeignLedgerError)
  t.strictSame(called, [])
})

t.test('our own ledger that is reached late works from then on', async (t) => {
  const { late, called, back } = createLateLedger('ours')
  const probe = createProbe(late, 'ours')
  await probe.start({ warn() {} })
  await back()
  t.strictSame(
    await callEach(probe.ledger),
    names.map(() => undefined),
  )
  await t.resolves(probe.check())
  t.strictSame(called.toSorted(), [...names, 'probe'].sort())
})

t.test('a ledger of another account that is reached at once ends the start', async (t) => {
  const { late, back } = createLateLedger('theirs')
  await back()
  await t.rejects(createProbe(late, 'ours').start({ warn() {} }), ForeignLedgerError)
})

t.test('an engine that counts no requests is not said to count them', async (t) => {
  t.equal(createProbe(openMemoryLedger({ retentionMs: 1000 }), 'ours').ledger.countForAll, undefined)
})
