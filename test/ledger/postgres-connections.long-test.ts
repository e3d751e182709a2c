/** The end of one connection to PostgreSQL costs the call on that connection, and no other. */
import t, { type Test } from 'tap'
import { renewal } from '../fixtures/ledger-rows.ts'
import { type LogLine, newClaim, openTestLedger, untilReachable } from '../fixtures/ledgers.ts'
import { connectToPostgres, skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { until } from '../fixtures/until.ts'

const options = { buffered: true, skip: skipPostgres }
t.jobs = 2
t.setTimeout(120_000)

const ours = `FROM pg_stat_activity WHERE application_name = 'freedompay-clients'`
const waitingForLock = `SELECT pid ${ours} AND wait_event_type = 'Lock'`

async function open(t: Test) {
  const { url } = await startPostgres(t)
  const logs: LogLine[] = []
  const ledger = await openTestLedger(t, url, undefined, logs)
  await untilReachable(ledger)
  return { url, ledger, logs, admin: await connectToPostgres(t, url) }
}

const errorsIn = (logs: readonly LogLine[]) => logs.filter(({ level }) => level === 'error')

t.test('one connection that ends costs one of 40 calls', options, async (t) => {
  const { url, ledger, logs, admin } = await open(t)
  const claims = Array.from({ length: 16 }, () => newClaim())
  await Promise.all(claims.map((claim) => ledger.claim(claim)))
  const holder = await connectToPostgres(t, url)
  await holder.query('BEGIN')
  await holder.query('SELECT 1 FROM ledger_request FOR UPDATE')
  // They hold every connection of the pool, so the calls after them wait for one.
  const renewing = claims.map((claim) => ledger.renew(renewal(claim)))
  const waiting = Array.from({ length: 24 }, () => ledger.find('none'))
  const results = Promise.allSettled([...renewing, ...waiting])
  await until(
    async () => (await admin.query(waitingForLock)).rows.length,
    (count) => count === claims.length,
  )
  await admin.query(`SELECT pg_terminate_backend(pid) FROM (${waitingForLock} LIMIT 1) AS one`)
  await holder.query('ROLLBACK')
  const refused = (await results).filter(({ status }) => status === 'rejected')
  t.match(refused, [{ reason: { code: '57P01' } }])
  t.equal(refused.length, 1)
  t.strictSame(errorsIn(logs), [])
})

t.test('an idle connection that ends is replaced without a word', options, async (t) => {
  const { ledger, logs, admin } = await open(t)
  await admin.query(`SELECT pg_terminate_backend(pid) ${ours}`)
  await until(
    async () => (await admin.query(`SELECT pid ${ours}`)).rows.length,
    (count) => count === 0,
  )
  t.match(await ledger.claim(newClaim()), { isClaimed: true })
  t.strictSame(errorsIn(logs), [])
})

t.test('a call that finds its host gone goes on at the next host', options, async (t) => {
  const primary = await startPostgres(t)
  const standby = await startPostgres(t, { standbyOf: primary })
  const ledger = await openTestLedger(t, `postgres://ledger@${primary.host},${standby.host}/postgres`)
  await untilReachable(ledger)
  await primary.kill()
  await (await connectToPostgres(t, standby.url)).query('SELECT pg_promote()')
  t.match(await ledger.claim(newClaim()), { isClaimed: true })
})

t.test('calls that wait for a connection go on when the service looks at its hosts anew', options, async (t) => {
  const { url, ledger, admin } = await open(t)
  const claims = Array.from({ length: 15 }, () => newClaim())
  await Promise.all(claims.map((claim) => ledger.claim(claim)))
  const holder = await connectToPostgres(t, url)
  await holder.query('BEGIN')
  await holder.query('SELECT 1 FROM ledger_request FOR UPDATE')
  await admin.query('DROP TABLE ledger_fact')
  const renewing = claims.map((claim) => ledger.renew(renewal(claim)))
  // The last connection. After a missing table the service looks at all hosts anew.
  const adopting = t.rejects(ledger.adopt('account'), { code: '42P01' })
  const waiting = Array.from({ length: 10 }, () => ledger.find('none'))
  await adopting
  await holder.query('ROLLBACK')
  t.strictSame(new Set(await Promise.all(waiting)), new Set([undefined]))
  await Promise.allSettled(renewing)
})
