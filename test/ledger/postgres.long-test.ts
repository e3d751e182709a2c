/** What only the PostgreSQL ledger has to bear: lost connections, servers that take no writes, and two versions of its schema. */
import { join } from 'node:path'
import { Client } from 'pg'
import t, { type Test } from 'tap'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { isMigrated, migrate, steps } from '../../src/ledger/postgres-schema.ts'
import { findFreePort } from '../fixtures/free-port.ts'
import { bringTo, changeTo, makeDue, renewal } from '../fixtures/ledger-rows.ts'
import {
  callAll,
  type LogLine,
  newClaim,
  newKeyedClaim,
  openTestLedger,
  untilAllAnswer,
  untilReachable,
} from '../fixtures/ledgers.ts'
import { connectToPostgres, skipPostgres, startPostgres, type TestPostgres } from '../fixtures/postgres.ts'
import { createSelfSigned } from '../fixtures/self-signed.ts'
import { until } from '../fixtures/until.ts'

const options = { buffered: true, skip: skipPostgres }
// They mostly wait.
t.jobs = 4
t.setTimeout(120_000)

async function openLedger(t: Test, url: string, logs: LogLine[] = []): Promise<Ledger> {
  const ledger = await openTestLedger(t, url, undefined, logs)
  await untilReachable(ledger)
  await ledger.adopt('account')
  return ledger
}

const outages = [
  {
    name: 'is gone',
    begin: (postgres: TestPostgres) => postgres.kill(),
    end: (postgres: TestPostgres) => postgres.start(),
  },
  {
    name: 'stands still',
    begin: async (postgres: TestPostgres) => postgres.freeze(),
    end: async (postgres: TestPostgres) => postgres.thaw(),
  },
  {
    name: 'takes no writes',
    begin: (postgres: TestPostgres) => setReadOnly(postgres.url, 'on'),
    end: (postgres: TestPostgres) => setReadOnly(postgres.url, 'off'),
  },
]

async function setReadOnly(url: string, value: 'on' | 'off'): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query('SET default_transaction_read_only = off')
  await client.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`)
  await client.query('SELECT pg_reload_conf()')
  await client.end()
  const isSet = async () => {
    const later = new Client({ connectionString: url })
    await later.connect()
    const { rows } = await later.query('SHOW default_transaction_read_only')
    await later.end()
    return rows[0].default_transaction_read_only === value
  }
  await until(isSet, Boolean)
}

for (const { name, begin, end } of outages) {
  t.test(`while PostgreSQL ${name} every method rejects, and afterwards each works`, options, async (t) => {
    const postgres = await startPostgres(t)
    const logs: LogLine[] = []
    const ledger = await openLedger(t, postgres.url, logs)
    const claim = newClaim()
    await ledger.claim(claim)
    await begin(postgres)
    // Until the first write is refused nothing tells that the server has become another.
    await t.rejects(ledger.probe())
    for (const round of ['first', 'second'])
      t.strictSame(await callAll(ledger, ledger.forgetOld()), ['rejected'], `${round} round`)
    await end(postgres)
    await untilReachable(ledger)
    t.strictSame(await untilAllAnswer(ledger, () => ledger.forgetOld()), ['fulfilled'])
    t.match(await ledger.find(claim.requestId), { state: 'sent', claims: 1 }, 'nothing is lost')
    const messages = logs.filter(({ msg }) => msg.includes('reached')).map(({ level, msg }) => [level, msg])
    const expected = [
      ['error', 'the ledger cannot be reached'],
      ['info', 'the ledger can be reached again'],
    ]
    t.strictSame(messages, expected, 'said once each')
  })
}

/** A transaction of another that holds the row of a claim. */
async function lockRow(t: Test, url: string, requestId: string): Promise<Client> {
  const holder = await connectToPostgres(t, url)
  await holder.query('BEGIN')
  await holder.query('SELECT 1 FROM ledger_request WHERE request_id = $1 FOR UPDATE', [requestId])
  return holder
}

const waitingForLock = `SELECT pid FROM pg_stat_activity WHERE application_name = 'freedompay-clients' AND wait_event_type = 'Lock'`

t.test('a connection that the server ends is a rejected call, and the next call works', options, async (t) => {
  const { url } = await startPostgres(t)
  const ledger = await openLedger(t, url)
  const admin = await connectToPostgres(t, url)
  const claim = newClaim()
  await ledger.claim(claim)
  const holder = await lockRow(t, url, claim.requestId)
  const renewing = t.rejects(ledger.renew(renewal(claim)), { code: '57P01' })
  await until(async () => (await admin.query(waitingForLock)).rows.length, Boolean)
  await admin.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freedompay-clients'`,
  )
  await renewing
  await holder.query('ROLLBACK')
  t.match(await ledger.renew(renewal(claim)), { claims: 2 })
})

t.test(
  'calls that wait for a lock and calls that wait for them reject, and the next call works',
  options,
  async (t) => {
    const { url } = await startPostgres(t)
    const ledger = await openLedger(t, url)
    const claim = newClaim()
    await ledger.claim(claim)
    const holder = await lockRow(t, url, claim.requestId)
    const blocked = Array.from({ length: 40 }, () => ledger.renew(renewal(claim)))
    const results = await Promise.allSettled([...blocked, ledger.claim(newClaim())])
    t.strictSame(new Set(results.map(({ status }) => status)), new Set(['rejected']), 'while the lock is held')
    await holder.query('ROLLBACK')
    t.match(await ledger.renew(renewal(claim)), { claims: 2 }, 'none of them was done')
    t.match(await ledger.claim(newClaim()), { isClaimed: true })
  },
)

t.test('a server without a free connection is waited for', options, async (t) => {
  const { url } = await startPostgres(t, { settings: { max_connections: '8', max_wal_senders: '0' } })
  const ledger = await openTestLedger(t, url)
  const others: Client[] = []
  for (let isFull = false; !isFull; ) {
    const client = new Client({ connectionString: url })
    isFull = await client.connect().then(
      () => others.push(client) < 0,
      () => true,
    )
  }
  await t.rejects(ledger.claim(newClaim()), /too many clients/)
  await Promise.all(others.map((client) => client.end()))
  await untilReachable(ledger)
  t.match(await ledger.claim(newClaim()), { isClaimed: true })
})

t.test('a ledger whose PostgreSQL stands still can be closed', options, async (t) => {
  const postgres = await startPostgres(t)
  const ledger = await openLedger(t, postgres.url)
  postgres.freeze()
  const waiting = t.rejects(ledger.claim(newClaim()))
  await ledger.close()
  await waiting
  postgres.thaw()
  await t.rejects(ledger.probe(), 'and stays closed')
})

t.test('a ledger whose PostgreSQL was never there rejects, and can be closed', options, async (t) => {
  const logs: LogLine[] = []
  const ledger = await openTestLedger(t, `postgres://127.0.0.1:${await findFreePort()}/db`, undefined, logs)
  await t.rejects(ledger.claim(newClaim()), /takes writes: .*ECONNREFUSED/)
  await t.rejects(ledger.adopt('account'))
  await ledger.close()
  t.strictSame(
    logs.map(({ msg }) => msg),
    ['the ledger cannot be reached'],
  )
})

t.test('of several hosts the one is used that takes writes', options, async (t) => {
  const [readOnly, writable] = [
    await startPostgres(t, { settings: { default_transaction_read_only: 'on' } }),
    await startPostgres(t),
  ]
  const gone = `127.0.0.1:${await findFreePort()}`
  const hosts = [gone, readOnly.host, writable.host].join(',')
  const ledger = await openLedger(t, `postgres://ledger@${hosts}/postgres?target_session_attrs=read-write`)
  const claim = newClaim()
  await ledger.claim(claim)
  const admin = await connectToPostgres(t, writable.url)
  t.equal((await admin.query('SELECT 1 FROM ledger_request')).rowCount, 1)
})

t.test('TLS and a password are what the URL says', options, async (t) => {
  const { key, cert } = createSelfSigned()
  const postgres = await startPostgres(t, {
    files: { key, cert, hba: 'hostssl all clerk all scram-sha-256\nhost all ledger 127.0.0.1/32 trust\n' },
    settings: { ssl: 'on', ssl_key_file: '../key', ssl_cert_file: '../cert', hba_file: 'hba' },
  })
  await openLedger(t, postgres.url)
  const admin = await connectToPostgres(t, postgres.url)
  await admin.query(`CREATE ROLE clerk LOGIN SUPERUSER PASSWORD 'p@ss,/ word'`)
  const { port } = new URL(postgres.url)
  const root = join(postgres.folder, 'cert')
  const urlWith = (password: string, rest: string) =>
    `postgres://clerk:${password}@localhost:1,localhost:${port}/postgres${rest}`
  const password = encodeURIComponent('p@ss,/ word')
  const verified = `?sslmode=verify-full&sslrootcert=${root}`
  const ledger = await openLedger(t, urlWith(password, verified))
  t.match(await ledger.claim(newClaim()), { isClaimed: true })
  const encrypted = `SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'clerk'`
  t.match((await admin.query(encrypted)).rows, [{ ssl: true }])

  const logs: LogLine[] = []
  const refused = [
    [urlWith(password, '?sslmode=verify-full'), /self-signed/],
    [urlWith('wrong', verified), /password/],
    [urlWith(password, ''), /no encryption/],
  ] as const
  for (const [url, reason] of refused) {
    await t.rejects((await openTestLedger(t, url, undefined, logs)).claim(newClaim()), reason)
  }
  t.notMatch(JSON.stringify(logs), /p@ss|p%40ss/, 'the password is not told')
})

t.test('many processes that start at once make the schema once', options, async (t) => {
  const { url } = await startPostgres(t)
  const ledgers = await Promise.all(Array.from({ length: 6 }, () => openTestLedger(t, url)))
  await Promise.all(ledgers.map(untilReachable))
  const admin = await connectToPostgres(t, url)
  t.equal((await admin.query('SELECT 1 FROM ledger_schema')).rowCount, steps.length)
})

t.test('the version before goes on while a later one changes the schema, and after', options, async (t) => {
  const { url } = await startPostgres(t)
  const before = await openLedger(t, url)
  const later = [...steps, `ALTER TABLE ledger_request ADD COLUMN added_later text NOT NULL DEFAULT ''`]
  const claims = Array.from({ length: 20 }, () => newKeyedClaim())
  for (const claim of claims) await before.claim(claim)
  const clients = await Promise.all([1, 2, 3].map(() => connectToPostgres(t, url)))
  const [admin] = clients as [Client]
  t.strictSame([await isMigrated(admin), await isMigrated(admin, later)], [true, false])
  await Promise.all([
    ...clients.map((client) => migrate(client, later)),
    ...claims.map((claim) => before.record(claim.requestId, claim.claimToken, changeTo('processing'))),
  ])
  t.strictSame([await isMigrated(admin), await isMigrated(admin, later)], [true, true])
  t.equal((await admin.query('SELECT 1 FROM ledger_schema')).rowCount, later.length, 'each step is done once')

  for (const ledger of [before, await openLedger(t, url)]) {
    t.strictSame(await untilAllAnswer(ledger, () => ledger.forgetOld()), ['fulfilled'])
    const claim = newKeyedClaim()
    t.match(await bringTo(ledger, claim, 'created'), { state: 'created' })
    t.match(await ledger.claim(claim), { isClaimed: false, row: { state: 'created' } })
    await makeDue(ledger, newClaim())
    t.equal((await ledger.takeDue(60_000, 1)).length, 1)
  }
  t.match(await before.findByKey(claims[0]?.keyId ?? ''), { state: 'processing' })
})

t.test('a step that fails is undone with its number, and holds up nobody', options, async (t) => {
  const { url } = await startPostgres(t)
  const client = await connectToPostgres(t, url)
  const broken = [...steps, 'CREATE TABLE half_done (); SELECT 1 / 0']
  await t.rejects(migrate(client, broken), /division by zero/)
  t.equal((await client.query(`SELECT to_regclass('half_done') AS made`)).rows[0].made, null)
  t.equal(await isMigrated(client), false)
  t.match(await (await openLedger(t, url)).claim(newClaim()), { isClaimed: true })
})

t.test('once the schema stands an account needs no right to change it', options, async (t) => {
  const { url, host } = await startPostgres(t)
  await openLedger(t, url)
  const admin = await connectToPostgres(t, url)
  await admin.query(`CREATE ROLE clerk LOGIN`)
  await admin.query('GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_request, ledger_fact TO clerk')
  await admin.query('GRANT SELECT ON ledger_schema TO clerk')
  const ledger = await openLedger(t, `postgres://clerk@${host}/postgres`)
  t.strictSame(await untilAllAnswer(ledger, () => ledger.forgetOld()), ['fulfilled'])
})

t.test('tables that are gone are made anew, but not by a process that has used them', options, async (t) => {
  const { url } = await startPostgres(t)
  const ledger = await openTestLedger(t, url)
  await untilReachable(ledger)
  const admin = await connectToPostgres(t, url)
  const drop = 'DROP TABLE ledger_request, ledger_fact, ledger_schema'
  await admin.query(drop)
  await t.rejects(ledger.claim(newClaim()), { code: '42P01' })
  await untilReachable(ledger)
  await ledger.adopt('account')
  await admin.query(drop)
  await t.rejects(ledger.claim(newClaim()), { code: '42P01' })
  await t.rejects(ledger.claim(newClaim()), /another ledger/)
  const restarted = await openLedger(t, url)
  t.match(await restarted.claim(newClaim()), { isClaimed: true })
  await t.rejects(ledger.claim(newClaim()), /another ledger/, 'nor is the new ledger that of before')
})

t.test('a warning about something else than the standby fails no call', options, async (t) => {
  const { url } = await startPostgres(t)
  const ledger = await openLedger(t, url)
  const admin = await connectToPostgres(t, url)
  await admin.query(`
    CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'of a trigger'; RETURN NEW; END $$;
    CREATE TRIGGER warn BEFORE INSERT OR UPDATE ON ledger_request FOR EACH ROW EXECUTE FUNCTION warn()`)
  const claim = newClaim()
  t.match(await ledger.claim(claim), { isClaimed: true })
  t.match(await ledger.record(claim.requestId, claim.claimToken, changeTo('created')), { was: 'sent' })
})

t.test('what a PostgreSQL may forget is told at the start', options, async (t) => {
  const cases: { settings: Record<string, string>; expected: RegExp[] }[] = [
    { settings: { fsync: 'on' }, expected: [/no standby/] },
    { settings: { fsync: 'off' }, expected: [/fsync/, /no standby/] },
    { settings: { fsync: 'on', synchronous_commit: 'off' }, expected: [/synchronous_commit/] },
  ]
  for (const { settings, expected } of cases) {
    const { url } = await startPostgres(t, { settings })
    const logs: LogLine[] = []
    await openLedger(t, url, logs)
    t.match(
      logs.map(({ msg }) => msg),
      expected,
    )
    t.equal(logs.length, expected.length)
  }
})

t.test('rows are forgotten in batches until none is left', options, async (t) => {
  const { url } = await startPostgres(t)
  const ledger = await openTestLedger(t, url, 1)
  await untilReachable(ledger)
  const admin = await connectToPostgres(t, url)
  await admin.query(`
    INSERT INTO ledger_request (request_id, caller, fingerprint, state, claim_token, claims, updated_at, deadline_at,
      next_ask_at)
    SELECT n, '', '', 'created', '', 1, now() - interval '1 minute', now(), CASE WHEN n % 2 = 0 THEN now() END
    FROM generate_series(1, 4500) AS n`)
  await ledger.forgetOld()
  t.equal((await admin.query('SELECT 1 FROM ledger_request')).rowCount, 0)
})

t.test('a ledger that is closed leaves no connection behind', options, async (t) => {
  const postgres = await startPostgres(t)
  const ledger = await openLedger(t, postgres.url)
  await Promise.all(Array.from({ length: 30 }, () => ledger.find('none')))
  const admin = await connectToPostgres(t, postgres.url)
  const connections = async () =>
    (await admin.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'freedompay-clients'`)).rowCount
  t.ok(((await connections()) ?? 0) > 1, 'there are several')
  await ledger.close()
  await until(connections, (count) => count === 0)
  t.pass('there are none')
})
