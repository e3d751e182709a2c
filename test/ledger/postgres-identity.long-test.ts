/** A URL that leads to another ledger than before: nothing is written there, and the right ledger goes on. */
import t, { type Test } from 'tap'
import { OtherLedgerError } from '../../src/ledger/postgres-identity.ts'
import { findFreePort } from '../fixtures/free-port.ts'
import {
  callAll,
  type LogLine,
  newKeyedClaim,
  openTestLedger,
  untilAllAnswer,
  untilReachable,
} from '../fixtures/ledgers.ts'
import { connectToPostgres, skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { call, phoneFor, startTestService } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

const options = { buffered: true, skip: skipPostgres }
t.jobs = 2
t.setTimeout(120_000)

/** What the second host of the URL holds. */
const others: readonly { name: string; prepare: (t: Test, url: string) => Promise<void> }[] = [
  { name: 'the ledger of another account', prepare: (t, url) => adopt(t, url, 'another') },
  { name: 'another ledger of the same account', prepare: (t, url) => adopt(t, url, 'account') },
  { name: 'nothing', prepare: async () => undefined },
]

async function adopt(t: Test, url: string, account: string): Promise<void> {
  const ledger = await openTestLedger(t, url)
  await untilReachable(ledger)
  await ledger.adopt(account)
  await ledger.close()
}

const countTables = `SELECT count(*)::integer AS count FROM pg_tables WHERE tablename LIKE 'ledger%'`

for (const { name, prepare } of others) {
  t.test(`a second host with ${name} is not written to, and the first goes on when it is back`, options, async (t) => {
    const [first, second] = await Promise.all([startPostgres(t), startPostgres(t)])
    await prepare(t, second.url)
    await second.kill()
    const logs: LogLine[] = []
    const ledger = await openTestLedger(t, `postgres://ledger@${first.host},${second.host}/postgres`, undefined, logs)
    await untilReachable(ledger)
    await ledger.adopt('account')
    const claim = newKeyedClaim()
    await ledger.claim(claim)
    await second.start()
    await first.kill()

    for (let round = 0; round < 3; round++) t.strictSame(await callAll(ledger), ['rejected'])
    const admin = await connectToPostgres(t, second.url)
    t.equal((await admin.query(countTables)).rows[0].count, name === 'nothing' ? 0 : 3)
    if (name !== 'nothing') t.equal((await admin.query('SELECT 1 FROM ledger_request')).rowCount, 0)
    const told = logs.filter(({ msg }) => msg === new OtherLedgerError().message)
    t.match(told, [{ level: 'error', host: second.host }])
    t.equal(told.length, 1, 'told once')

    await first.start()
    await untilReachable(ledger)
    t.match(await ledger.claim({ ...claim, claimToken: 'later' }), {
      isClaimed: false,
      row: { claimToken: claim.claimToken },
    })
    t.strictSame(await untilAllAnswer(ledger), ['fulfilled'])
  })
}

t.test('an address that leads to an empty database sends no key again', options, async (t) => {
  const port = await findFreePort()
  const right = await startPostgres(t, { port })
  const settings = { LEDGER_URL: right.url, LEDGER_KEY: 'a ledger key of thirty-two bytes.' }
  const service = await startTestService(t, { settings })
  const create = () => service.create({ phone: phoneFor('001') }, { 'idempotency-key': 'one' })
  const sent = () => service.received.filter(({ path }) => path.endsWith('/add')).length
  const isReady = async () => (await call(`${service.opsUrl}/readyz`, 'GET', {})).statusCode === 200
  t.match(await create(), { statusCode: 201 })
  await right.kill()
  const empty = await startPostgres(t, { port })

  for (let tries = 0; tries < 3; tries++) {
    t.match(await create(), { statusCode: 503, body: { code: 'ledger-unavailable' } })
  }
  await until(isReady, (ready) => !ready)
  t.equal(sent(), 1)
  t.equal((await (await connectToPostgres(t, empty.url)).query(countTables)).rows[0].count, 0)

  await empty.kill()
  await right.start()
  await until(isReady)
  t.match(await create(), { statusCode: 201, headers: { 'idempotency-status': 'replayed' } })
  t.equal(sent(), 1)
})
