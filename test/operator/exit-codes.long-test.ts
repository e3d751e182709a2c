/** Exit codes that scripts rely on. */
import { randomUUID } from 'node:crypto'
import { openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeLedgerFile, openTestLedger } from '../fixtures/ledgers.ts'
import { addRow, operatorOf, sandboxAccount } from '../fixtures/operator.ts'

t.setTimeout(120_000)

async function openLedger(t: Test) {
  const url = `sqlite:${makeLedgerFile(t)}`
  const ledger = await openTestLedger(t, url)
  await ledger.adopt(sandboxAccount)
  return { ledger, run: operatorOf({ LEDGER_URL: url }) }
}

t.test('a reader that goes, such as `head`, changes no exit code', async (t) => {
  const { ledger, run } = await openLedger(t)
  const { requestId } = await addRow(ledger, 'created')
  const file = join(t.testdir(), 'export.csv')
  const gone = { output: 'gone' } as const
  writeFileSync(file, `request_id,client_id\n${requestId},client-1\n`)
  t.match(await run(['compare', file], gone), { code: 0, errors: '' })
  writeFileSync(file, `request_id,client_id\n${randomUUID()},client-1\n`)
  t.match(await run(['compare', file], gone), { code: 1, errors: '' }, 'a difference stays a difference')
  t.match(await run(['list'], gone), { code: 0, errors: '' })
  t.match(await run(['help'], gone), { code: 0, errors: '' })
})

t.test('what nobody has foreseen is 70, never the code of a difference', async (t) => {
  const { ledger, run } = await openLedger(t)
  const { requestId } = await addRow(ledger, 'unknown')
  const fault = 'String.prototype.padEnd = () => { throw new RangeError("quotes the row") }'
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(fault)}` }
  t.match(await run(['show', requestId], { env }), { code: 70, printed: '', errors: /"type":"RangeError".*unforeseen/ })
  t.notMatch((await run(['show', requestId], { env })).errors, /quotes the row/)
  t.match(await run(['list'], { output: openSync('/dev/full', 'w') }), { code: 70, errors: /ENOSPC/ }, 'a full disk')
})
