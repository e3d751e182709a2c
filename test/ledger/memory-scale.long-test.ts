/** What the ledger in memory costs does not grow with what it holds. */
import t from 'tap'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { newClaim, openTestLedger } from '../fixtures/ledgers.ts'

async function fill(ledger: Ledger, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const claim = newClaim()
    await ledger.claim(claim)
    await ledger.record(claim.requestId, claim.claimToken, { state: 'unknown' })
  }
}

/** The quickest of some, as everything else only makes it longer. */
async function quickestMs(work: () => Promise<unknown>): Promise<number> {
  let quickest = Infinity
  for (let i = 0; i < 50; i++) {
    const startedAt = performance.now()
    await work()
    quickest = Math.min(quickest, performance.now() - startedAt)
  }
  return quickest
}

t.test('counting and taking 100,000 unresolved rows costs like 1,000', async (t) => {
  const now = performance.now.bind(performance)
  let aheadMs = 0
  // An intercept of tap's notes every call, which costs more than what is measured.
  performance.now = () => now() + aheadMs
  t.teardown(() => {
    performance.now = now
  })
  const costs = []
  for (const count of [1000, 100_000]) {
    const ledger = await openTestLedger(t, 'memory:')
    await fill(ledger, count)
    aheadMs += 2000
    t.equal((await ledger.stats()).unresolved, count)
    const statsMs = await quickestMs(() => ledger.stats())
    const takeMs = await quickestMs(() => ledger.takeDue(60_000, 1))
    costs.push({ statsMs, takeMs })
  }
  const [few, many] = costs
  t.comment(JSON.stringify(costs))
  // A scan would cost a hundred times as much.
  t.ok((many?.statsMs ?? Infinity) < 20 * ((few?.statsMs ?? 0) + 0.005), 'stats')
  t.ok((many?.takeMs ?? Infinity) < 20 * ((few?.takeMs ?? 0) + 0.005), 'takeDue')
})
