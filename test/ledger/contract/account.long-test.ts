/** Whose ledger it is, and whether it can be written. */
import t from 'tap'
import { ForeignLedgerError, UnusedLedgerError } from '../../../src/ledger/ledger.ts'
import { forEachEngine } from '../../fixtures/ledgers.ts'

forEachEngine(t, async (t, { open }) => {
  await t.test('a ledger belongs to the account that used it first', async (t) => {
    const first = await open(t)
    const second = await open(t, { again: true })
    await first.adopt('one')
    await t.resolves(second.adopt('one'))
    for (const ledger of [first, second]) {
      await t.rejects(ledger.adopt('two'), ForeignLedgerError)
      await t.rejects(ledger.adopt('two'), /set LEDGER_ACCOUNT to .*"one"$/, 'the remedy holds the name')
      await t.rejects(ledger.checkOwner('two'), /"one"$/)
    }
    await t.resolves(first.adopt('one'), 'the other account changed nothing')
  })

  await t.test('whose ledger it is can be checked, and the check makes nobody the owner', async (t) => {
    const ledger = await open(t)
    for (let i = 0; i < 2; i++) await t.rejects(ledger.checkOwner('one'), UnusedLedgerError)
    await ledger.adopt('two')
    await t.rejects(ledger.checkOwner('one'), ForeignLedgerError)
    await t.resolves(ledger.checkOwner('two'))
  })

  await t.test('of two accounts at one time one gets the ledger', async (t) => {
    const ledgers = [await open(t), await open(t, { again: true })]
    const results = await Promise.allSettled(ledgers.map((ledger, i) => ledger.adopt(`account ${i}`)))
    t.strictSame(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
  })

  await t.test('a ledger that can be written says so, as often as it is asked', async (t) => {
    const ledger = await open(t)
    for (let i = 0; i < 3; i++) await t.resolves(ledger.probe())
    await ledger.close()
  })
})
