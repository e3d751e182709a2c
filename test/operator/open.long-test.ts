/** The operators' program opens the service's ledger, and leaves the ledger to the service. */
import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { makeLedgerFile, openTestLedger, untilReachable } from '../fixtures/ledgers.ts'
import { addRow, decide, forEachSharedAddress, operatorOf, sandboxAccount } from '../fixtures/operator.ts'
import { connectToPostgres, skipPostgres, startPostgres } from '../fixtures/postgres.ts'

// Each command is a process of its own, which takes its time where others are busy, too.
t.setTimeout(300_000)

forEachSharedAddress(t, async (t, url) => {
  await t.test('a ledger that no service has used is refused, and stays free for every account', async (t) => {
    if (url.startsWith('sqlite:')) writeFileSync(url.slice('sqlite:'.length), '')
    const run = operatorOf({ LEDGER_URL: url })
    t.match(await run(['list']), {
      code: 78,
      printed: '',
      errors: /^LEDGER_URL names a ledger that no service has used/,
    })
    const ledger = await openTestLedger(t, url)
    await untilReachable(ledger)
    t.match(await run(['list']), { code: 78, printed: '', errors: /no service has used/ }, 'nor one without an account')
    await t.resolves(ledger.adopt('the account of the service'))
    t.match(await run(['list']), { code: 78, printed: '', errors: /another FreedomPay account.*LEDGER_ACCOUNT/ })
    const named = { LEDGER_ACCOUNT: 'the account of the service' }
    t.match(await run(['list'], { env: named }), { code: 0, printed: 'No such rows.\n' })
  })
})

t.test('the schema of an earlier version is refused, and not changed', async (t) => {
  await t.test('SQLite file', async (t) => {
    const path = makeLedgerFile(t)
    const ledger = await openTestLedger(t, `sqlite:${path}`)
    await ledger.adopt(sandboxAccount)
    const database = new DatabaseSync(path)
    t.teardown(() => database.close())
    const readVersion = () => Number(Object.values(database.prepare('PRAGMA user_version').get() ?? {})[0])
    const latest = readVersion()
    const run = operatorOf({ LEDGER_URL: `sqlite:${path}` })
    database.exec(`PRAGMA user_version = ${latest - 1}`)
    t.match(await run(['list']), { code: 78, printed: '', errors: /of an earlier version/ })
    t.equal(readVersion(), latest - 1)
    database.exec(`PRAGMA user_version = ${latest + 1}`)
    t.match(await run(['list']), { code: 0 }, 'the version before can still use a later schema')
  })

  await t.test('PostgreSQL', { skip: skipPostgres }, async (t) => {
    const { url } = await startPostgres(t)
    const ledger = await openTestLedger(t, url)
    await untilReachable(ledger)
    await ledger.adopt(sandboxAccount)
    const client = await connectToPostgres(t, url)
    const readVersion = async () => (await client.query('SELECT max(step) AS step FROM ledger_schema')).rows[0].step
    const latest = await readVersion()
    const run = operatorOf({ LEDGER_URL: url })
    await client.query('DELETE FROM ledger_schema WHERE step = $1', [latest])
    t.match(await run(['list']), { code: 78, printed: '', errors: /of an earlier version/ })
    t.equal(await readVersion(), latest - 1)
    await client.query('INSERT INTO ledger_schema (step) VALUES ($1), ($2)', [latest, latest + 1])
    t.match(await run(['list']), { code: 0 }, 'the version before can still use a later schema')
  })
})

t.test(
  'a PostgreSQL whose standby is away can be read, and `resolve` says what came of its write',
  { skip: skipPostgres },
  async (t) => {
    const { url } = await startPostgres(t)
    const ledger = await openTestLedger(t, url)
    await untilReachable(ledger)
    await ledger.adopt(sandboxAccount)
    const { requestId } = await addRow(ledger, 'unknown')
    const client = await connectToPostgres(t, url)
    const waitFor = async (standby: string) => {
      await client.query(`ALTER SYSTEM SET synchronous_standby_names = '${standby}'`)
      await client.query('SELECT pg_reload_conf()')
    }
    const isWritable = () =>
      ledger.probe().then(
        () => true,
        () => false,
      )
    await waitFor('away')
    while (await isWritable());
    const run = operatorOf({ LEDGER_URL: url })
    t.match(await run(['list']), { code: 0, printed: requestId })
    t.match(await run(['show', requestId]), { code: 0, printed: requestId })
    t.match(await run(['stats']), { code: 0, printed: /^not final, and no request works on them +1\n/ })
    const resolved = await run(['resolve', requestId, ...decide('rejected', '--yes')])
    t.match(resolved, { code: 69, printed: '', errors: /The row does not hold the decision, but a late write may/ })
    t.match(resolved.errors, /"msg":"a person’s decision may come late"/)
    await waitFor('')
    while ((await ledger.inspect(requestId))?.state !== 'rejected');
    t.match(
      await run(['show', requestId]),
      { code: 0, printed: /state +rejected, as a person has decided/ },
      'it comes',
    )
  },
)
