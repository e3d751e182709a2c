/** A primary and its synchronous standby: what was acknowledged is there after the primary is gone. */
import t, { type Test } from 'tap'
import type { Claim } from '../../src/ledger/ledger.ts'
import { changeTo } from '../fixtures/ledger-rows.ts'
import { type LogLine, newKeyedClaim, openTestLedger, untilReachable } from '../fixtures/ledgers.ts'
import { connectToPostgres, skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { until } from '../fixtures/until.ts'

const options = { buffered: true, skip: skipPostgres }
t.jobs = 2
t.setTimeout(120_000)

async function startPair(t: Test) {
  const primary = await startPostgres(t)
  const standby = await startPostgres(t, { standbyOf: primary })
  const url = `postgres://ledger@${primary.host},${standby.host}/postgres?target_session_attrs=read-write`
  return { primary, standby, url }
}

t.test('no acknowledged claim is lost in a failover, and the ledger goes on by itself', options, async (t) => {
  const { primary, standby, url } = await startPair(t)
  const logs: LogLine[] = []
  const replicas = await Promise.all([1, 2].map(() => openTestLedger(t, url, undefined, logs)))
  for (const ledger of replicas) {
    await untilReachable(ledger)
    await ledger.adopt('account')
  }
  const acknowledged: Claim[] = []
  const recorded = new Set<Claim>()
  const refused: unknown[] = []
  let isOver = false

  /** One claim and its outcome after the other, as a create does it. */
  async function work(worker: number): Promise<void> {
    const ledger = replicas[worker % replicas.length]
    while (!isOver) {
      const claim = newKeyedClaim()
      try {
        const result = await ledger?.claim(claim)
        t.equal(result?.isClaimed, true)
        acknowledged.push(claim)
        await ledger?.record(claim.requestId, claim.claimToken, changeTo('created'))
        recorded.add(claim)
      } catch (error) {
        refused.push(error)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }

  const workers = Array.from({ length: 16 }, (_, worker) => work(worker))
  await until(
    () => acknowledged.length,
    (count) => count > 300,
  )
  await primary.kill()
  const killedAt = performance.now()
  const before = acknowledged.length
  await until(
    () => refused.length,
    (count) => count > 16,
  )
  t.equal(acknowledged.length, before, 'the standby takes no claim')
  await (await connectToPostgres(t, standby.url)).query('SELECT pg_promote()')
  await until(
    () => acknowledged.length,
    (count) => count > before + 300,
  )
  t.comment(`${before} claims before, the next 300 after ${Math.round(performance.now() - killedAt)} ms`)
  isOver = true
  await Promise.all(workers)

  const [ledger] = replicas
  let lost = 0
  for (const claim of acknowledged) {
    const row = await ledger?.findByKey(claim.keyId ?? '')
    const isThere = row?.claimToken === claim.claimToken && (!recorded.has(claim) || row.state === 'created')
    if (!isThere) lost++
  }
  t.equal(lost, 0, `of ${acknowledged.length} claims and ${recorded.size} outcomes`)
  const [first] = acknowledged
  t.match(await ledger?.claim({ ...(first as Claim), claimToken: 'of another' }), { isClaimed: false })
})

t.test('a claim that its standby does not have is not acknowledged, whatever an operator does', options, async (t) => {
  const { primary, standby, url } = await startPair(t)
  const ledger = await openTestLedger(t, url)
  await untilReachable(ledger)
  const admin = await connectToPostgres(t, primary.url)
  const waiting = `SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'freedompay-clients'`
  const untilWaiting = () =>
    until(
      async () => (await admin.query(waiting)).rows.length,
      (count) => count > 0,
    )
  standby.freeze()
  const cancelled = t.rejects(ledger.claim(newKeyedClaim()), /committed without its standby/)
  await untilWaiting()
  await admin.query(`SELECT pg_cancel_backend(pid) FROM (${waiting}) AS waiting`)
  await cancelled
  await t.rejects(ledger.claim(newKeyedClaim()), /no answer/)
  standby.thaw()
  await untilReachable(ledger)
  t.match(await ledger.claim(newKeyedClaim()), { isClaimed: true })
})
