import t from 'tap'
import { readLatest, Work } from '../../../src/clients/create/work.ts'
import { newClaim, openTestLedger } from '../../fixtures/ledgers.ts'

const interim = {
  row: {
    requestId: 'a',
    keyId: undefined,
    state: 'unknown',
    clientId: undefined,
    partnerCode: undefined,
    partnerDescription: undefined,
    updatedAtMs: 1,
  },
  how: 'new',
} as const

function startWork(): Work {
  return new Work('a', 'print', () => new Promise(() => {}))
}

t.test('before its row is claimed, a running create has no state to tell', async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  t.equal(await readLatest(startWork(), ledger), undefined)
})

t.test('a running create is told with the state of the ledger, which another replica may have changed', async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  await ledger.claim(newClaim({ requestId: 'a', claimToken: 'token' }))
  await ledger.record('a', 'token', { state: 'processing' })
  const work = startWork()
  work.interim = interim
  t.match(await readLatest(work, ledger), { row: { requestId: 'a', state: 'processing' }, how: 'new' })
})

t.test('if the ledger has no row or cannot be read, a running create is told with the last known state', async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  const work = startWork()
  work.interim = interim
  t.equal(await readLatest(work, ledger), interim)
  const unreadable = { ...ledger, find: () => Promise.reject(new Error('the ledger is away')) }
  t.equal(await readLatest(work, unreadable), interim)
})
