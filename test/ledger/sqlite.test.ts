/** What only the SQLite ledger has to bear: locks, lost files, failing commits, and files of earlier versions. */
import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { groupCommits } from '../../src/ledger/group-commit.ts'
import { openSqliteLedger } from '../../src/ledger/sqlite.ts'
import { postponement, renewal } from '../fixtures/ledger-rows.ts'
import { makeLedgerFile, newClaim, newKeyedClaim, openTestLedger } from '../fixtures/ledgers.ts'

/** Another process could hold it just so. */
function holdLock(t: Test, path: string) {
  const other = new DatabaseSync(path)
  t.teardown(() => other.isOpen && other.close())
  other.exec('BEGIN IMMEDIATE')
  return () => other.exec('COMMIT')
}

// They mostly wait.
t.jobs = 5

t.test('every commit is on the disk before it is told', { buffered: true }, async (t) => {
  const executed: string[] = []
  const exec = DatabaseSync.prototype.exec
  t.intercept(DatabaseSync.prototype, 'exec', {
    value(this: DatabaseSync, sql: string) {
      executed.push(sql)
      exec.call(this, sql)
      if (sql.includes('synchronous')) executed.push(JSON.stringify(this.prepare('PRAGMA synchronous').get()))
    },
  })
  await openTestLedger(t, `sqlite:${makeLedgerFile(t)}`)
  t.match(executed.join('\n'), /"synchronous":2/)
})

t.test('the lock of another process is waited for while the event loop turns', { buffered: true }, async (t) => {
  const path = makeLedgerFile(t)
  const ledger = await openTestLedger(t, `sqlite:${path}`)
  const release = holdLock(t, path)
  let ticks = 0
  const ticking = setInterval(() => {
    ticks += 1
  }, 10)
  t.teardown(() => clearInterval(ticking))
  setTimeout(release, 1500)
  const startedAt = performance.now()
  t.match(await ledger.claim(newClaim()), { isClaimed: true })
  t.ok(performance.now() - startedAt >= 1400, 'it waited')
  t.ok(ticks >= 20, `${ticks} ticks`)
})

t.test('a lock that is held for long is given up, and afterwards all goes on', { buffered: true }, async (t) => {
  const path = makeLedgerFile(t)
  const ledger = await openTestLedger(t, `sqlite:${path}`)
  const release = holdLock(t, path)
  const claims = [newClaim(), newClaim()]
  const results = await Promise.allSettled(claims.map((claim) => ledger.claim(claim)))
  t.strictSame(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  release()
  for (const claim of claims) t.match(await ledger.claim(claim), { isClaimed: true }, 'nothing was half done')
})

for (const fate of ['deleted', 'replaced'] as const) {
  t.test(`a file that is ${fate} takes no claim`, { buffered: true }, async (t) => {
    const path = makeLedgerFile(t)
    const ledger = await openTestLedger(t, `sqlite:${path}`)
    await ledger.claim(newClaim())
    if (fate === 'deleted') rmSync(path)
    else {
      renameSync(path, `${path}.old`)
      writeFileSync(path, '')
    }
    await t.rejects(ledger.claim(newClaim()), /deleted or replaced/)
    await t.rejects(ledger.probe(), /deleted or replaced/)
  })
}

t.test('a probe fails where nothing can be written, as on a full disk', { buffered: true }, async (t) => {
  const path = makeLedgerFile(t)
  const ledger = await openTestLedger(t, `sqlite:${path}`)
  const other = new DatabaseSync(path)
  t.teardown(() => other.close())
  const refuse = (event: string) =>
    `CREATE TRIGGER no_${event} BEFORE ${event} ON fact BEGIN SELECT RAISE(FAIL, 'disk is full'); END;`
  other.exec(refuse('INSERT') + refuse('UPDATE'))
  await t.rejects(ledger.probe(), /disk is full/)
  other.exec('DROP TRIGGER no_INSERT; DROP TRIGGER no_UPDATE')
  await t.resolves(ledger.probe())
})

t.test('a file that cannot be written is refused', { buffered: true }, async (t) => {
  const path = makeLedgerFile(t)
  await (await openTestLedger(t, `sqlite:${path}`)).close()
  chmodSync(path, 0o444)
  chmodSync(dirname(path), 0o555)
  // Root may write whatever the mode says.
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65_534)
  try {
    t.throws(() => openSqliteLedger({ path, retentionMs: 1000 }), /readonly|unable to open/)
  } finally {
    if (isRoot) process.seteuid?.(0)
    chmodSync(dirname(path), 0o755)
  }
})

t.test('a commit that fails together with its rollback answers every caller', { buffered: true }, async (t) => {
  const database = new DatabaseSync(':memory:')
  t.teardown(() => database.close())
  database.exec('CREATE TABLE row (id)')
  let isBroken = true
  const prepare = database.prepare.bind(database)
  t.intercept(database, 'prepare', {
    value(sql: string) {
      const statement = prepare(sql)
      if (sql === 'BEGIN IMMEDIATE') return statement
      const run = () => {
        if (isBroken) throw new Error(`${sql} failed`)
        return statement.run()
      }
      return { run }
    },
  })
  const together = groupCommits(database, () => undefined)
  const write = () => database.exec('INSERT INTO row VALUES (1)')
  const results = await Promise.allSettled([together(write), together(write), together(write)])
  for (const result of results) t.match(result, { status: 'rejected', reason: { message: 'COMMIT failed' } })
  const more = await Promise.allSettled([together(write)])
  t.equal(more[0]?.status, 'rejected', 'while it is broken')
  isBroken = false
  await t.resolves(together(write))
  t.match(prepare('SELECT count(*) AS count FROM row').get(), { count: 1 }, 'what failed left nothing behind')
})

/** A file as the version before made it. */
const earlierSchema = `
CREATE TABLE request (
  request_id TEXT PRIMARY KEY, caller TEXT NOT NULL, fingerprint TEXT NOT NULL, state TEXT NOT NULL, client_id TEXT,
  partner_code TEXT, partner_description TEXT, claims INTEGER NOT NULL, asks INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  deadline_at INTEGER NOT NULL, next_ask_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX request_to_ask ON request (next_ask_at) WHERE next_ask_at IS NOT NULL;
CREATE INDEX request_by_age ON request (updated_at) WHERE next_ask_at IS NULL;
PRAGMA journal_mode = WAL`

t.test('a file of an earlier version is read on', { buffered: true }, async (t) => {
  const path = makeLedgerFile(t)
  const before = new DatabaseSync(path)
  before.exec(earlierSchema)
  const now = Date.now()
  const insert = before.prepare('INSERT INTO request VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  insert.run('key-1', 'caller', 'print', 'not-created', null, null, null, 1, 0, now, now, null)
  insert.run('key-2', 'caller', 'print', 'unknown', null, 'duplicate', null, 1, 3, now, now - 1000, now - 1000)
  insert.run('key-3', 'caller', 'print', 'created', 'client-1', null, null, 2, 1, now, now, null)
  insert.run('random', 'caller', '', 'rejected', null, '1001', 'no', 1, 0, now, now, null)
  insert.run('key-5', 'caller', 'print', 'sent', null, null, null, 1, 0, now, now - 5000, now - 3000)
  before.close()

  for (const round of ['first', 'second']) {
    const ledger = await openTestLedger(t, `sqlite:${path}`)
    const common = { caller: 'caller', isInferred: false, doubts: 0, claimToken: '' }
    t.match(
      await ledger.find('key-1'),
      { ...common, state: 'not-created', mayHaveArrived: true, keyId: 'key-1' },
      round,
    )
    const acknowledged = await ledger.findByKey('key-2')
    t.match(acknowledged, { ...common, state: 'unknown', isAcknowledged: true, partnerCode: undefined })
    t.match(await ledger.findByKey('key-3'), {
      ...common,
      state: 'created',
      clientId: 'client-1',
      mayHaveArrived: true,
    })
    t.match(await ledger.find('random'), { ...common, keyId: undefined, state: 'rejected', partnerCode: '1001' })
    t.equal(await ledger.findByKey('random'), undefined)
    t.equal((await ledger.stats()).unresolved, 2)
    t.match(await ledger.claim(newKeyedClaim({ keyId: 'key-1' })), { isClaimed: false, row: { requestId: 'key-1' } })
    await ledger.close()
  }
  const ledger = await openTestLedger(t, `sqlite:${path}`)
  const due = await ledger.takeDue(60_000, 10)
  t.strictSame(
    due.map(({ requestId, asks }) => [requestId, asks]),
    [
      ['key-5', 1],
      ['key-2', 4],
    ],
  )
  const sent = { requestId: 'key-5', claimToken: '' }
  await ledger.postpone(postponement(sent, { doubts: 1 }))
  t.match(await ledger.record('key-5', '', { state: 'not-created', isInferred: true }), { was: 'sent' })
  t.match(await ledger.renew(renewal({ requestId: 'key-1', claimToken: '' })), { claims: 2, mayHaveArrived: true })
})
