/** A service with the ledger of another account. */
import t from 'tap'
import { makeLedgerFile } from '../fixtures/ledgers.ts'
import { startPartner, startProgram, startReady } from '../fixtures/program.ts'

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
