/** A new version changes the schema while the version before works. */
import type { Client } from 'pg'
import t, { type Test } from 'tap'
import { openPostgresConnection } from '../../src/ledger/postgres-connection.ts'
import { isMigrated, migrate, steps } from '../../src/ledger/postgres-schema.ts'
import { statements } from '../../src/ledger/postgres-statements.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { type LogLine, newClaim, openTestLedger, untilReachable } from '../fixtures/ledgers.ts'
import { connectToPostgres, skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { until } from '../fixtures/until.ts'

const options = { buffered: true, skip: skipPostgres }
t.jobs = 2
t.setTimeout(120_000)

const step = `ALTER TABLE ledger_request ADD COLUMN added_later text NOT NULL DEFAULT ''`
const later = [...steps, step]

async function openBefore(t: Test) {
  const { url } = await startPostgres(t)
  const before = await openTestLedger(t, url)
  await untilReachable(before)
  return { url, before, admin: await connectToPostgres(t, url) }
}

/** Reads as a pg_dump does: its transaction keeps the table as it is. */
async function startReader(t: Test, url: string): Promise<Client> {
  const reader = await connectToPostgres(t, url)
  await reader.query('BEGIN')
  await reader.query('SELECT 1 FROM ledger_request')
  return reader
}

/** The connections of a later version, and what they log. */
function openLater(t: Test, url: string) {
  const logs: LogLine[] = []
  const log = createLogger('info', { write: (line: string) => void logs.push(JSON.parse(line)) })
  const connection = openPostgresConnection(url, log, later)
  t.teardown(() => connection.close())
  const call = () =>
    connection.run(statements.find, ['none']).then(
      () => true,
      () => false,
    )
  const heldUp = () => logs.filter(({ level, msg }) => level === 'warn' && msg.includes('pg_dump')).length
  return { connection, call, heldUp }
}

t.test('while a long reader holds up a step, the version before goes on', options, async (t) => {
  const { url, before, admin } = await openBefore(t)
  const reader = await startReader(t, url)
  let attempts = 0
  const migrating = migrate(await connectToPostgres(t, url), later, () => attempts++)
  // A claim that waits for longer than its time limit rejects.
  while (attempts < 2) await before.claim(newClaim())
  t.equal(await isMigrated(admin, later), false)
  await reader.query('COMMIT')
  await migrating
  t.equal(await isMigrated(admin, later), true)
  t.match(await before.claim(newClaim()), { isClaimed: true })
})

t.test('a process that is held up says so once, and is ready after the reader', options, async (t) => {
  const { url } = await openBefore(t)
  const reader = await startReader(t, url)
  const { call, heldUp } = openLater(t, url)
  t.equal(await call(), false)
  await until(heldUp)
  await reader.query('COMMIT')
  await until(call)
  t.equal(heldUp(), 1)
})

t.test('a process that is held up can be closed', options, async (t) => {
  const { url, before, admin } = await openBefore(t)
  await before.close()
  await startReader(t, url)
  const { connection, call, heldUp } = openLater(t, url)
  const calling = call()
  await until(heldUp)
  await connection.close()
  t.equal(await calling, false)
  const ours = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'freedompay-clients'`
  await until(
    async () => (await admin.query(ours)).rowCount,
    (count) => count === 0,
  )
})

t.test('a process that stands still in the middle of a step does not stop the version before', options, async (t) => {
  const { url, before, admin } = await openBefore(t)
  const client = await connectToPostgres(t, url)
  const migrating = t.rejects(migrate(client, [...steps, `${step}; SELECT pg_sleep(1)`]))
  await until(async () => (await admin.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)).rowCount)
  client.connection.stream.pause()
  await until(() =>
    before.claim(newClaim()).then(
      () => true,
      () => false,
    ),
  )
  client.connection.stream.resume()
  await migrating
  t.equal(await isMigrated(admin, later), false)
})
