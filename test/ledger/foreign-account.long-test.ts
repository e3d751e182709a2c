/** A service with the ledger of another account. */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { makeLedgerFile } from '../fixtures/ledgers.ts'
import { startPartner, startProgram, startReady } from '../fixtures/program.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'
import { call, phoneFor } from '../fixtures/service.ts'

const ledgerKey = 'a ledger key of thirty-two bytes.'

t.test('a service with another account exits 78, and names the remedy, which works', async (t) => {
  const partner = await startPartner(t)
  const settings = { ...partner.settings, LEDGER_URL: `sqlite:${makeLedgerFile(t)}`, LEDGER_KEY: ledgerKey }
  const first = await startReady(t, { ...settings, LEDGER_ACCOUNT: 'ours' })
  first.child.kill()
  t.match(await first.ended, { code: 0 })

  const { code, errors } = await startProgram(t, { ...settings, FREEDOMPAY_AUTH_ID: 'another' }).ended
  t.equal(code, 78)
  t.match(errors, /another FreedomPay account.*LEDGER_ACCOUNT.*"ours"/)
  t.notMatch(errors, /\n.*at /, 'no stack')

  const named = await startReady(t, { ...settings, FREEDOMPAY_AUTH_ID: 'another', LEDGER_ACCOUNT: 'ours' })
  named.child.kill()
  t.match(await named.ended, { code: 0 })
})

t.test(
  'a ledger of another account that is reached late ends the service, and shows no row before',
  {
    skip: skipRedis,
  },
  async (t) => {
    const partner = await startPartner(t)
    const redis = await startRedis(t)
    const settings = { ...partner.settings, LEDGER_URL: redis.url, LEDGER_KEY: ledgerKey }
    const first = await startReady(t, { ...settings, LEDGER_ACCOUNT: 'company-a' })
    const body = JSON.stringify({ phone: phoneFor('567') })
    const created = await call(`${first.url}/clients`, 'POST', { 'content-type': 'application/json' }, body)
    t.match(created, { statusCode: 201 })
    first.child.kill()
    await first.ended
    await redis.kill()

    const other = await startReady(t, { ...settings, LEDGER_ACCOUNT: 'company-b' })
    const seen = new Set<number>()
    const asking = (async () => {
      const row = `${other.url}/clients/requests/${created.body.requestId}`
      while (other.child.exitCode === null) {
        const answer = await call(row, 'GET', {}).catch(() => undefined)
        if (answer !== undefined) seen.add(answer.statusCode)
        await pause(10)
      }
    })()
    await redis.start()
    const { code, errors } = await other.ended
    await asking
    t.equal(code, 78)
    t.equal(errors, '')
    t.strictSame([...seen], [503])
    const fatal = other.logs.filter(({ level }) => level === 'fatal')
    t.equal(fatal.length, 1)
    t.match(fatal[0]?.msg, /another FreedomPay account.*LEDGER_ACCOUNT.*"company-a"/)
    t.equal(other.logs.at(-1)?.msg, 'stopped')
  },
)
