/** How the operators' program refuses. */
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import t from 'tap'
import { exitCodes } from '../../src/operator/exit.ts'
import { decide, operatorOf, partnerSettings } from '../fixtures/operator.ts'

t.test('wrong usage is 64, and opens no ledger', async (t) => {
  const run = operatorOf({ LEDGER_URL: 'sqlite:/nowhere/ledger.db' })
  const id = randomUUID()
  const cases = [
    [[], /^Usage: /],
    [['forget'], /^Usage: /],
    [['toString'], /^Usage: /],
    [['list', 'x'], /options alone/],
    [['list', '--nonsense'], /--nonsense/],
    [['list', '--state', 'lost'], /a state is one of sent, unknown/],
    [['list', '--older-than', '15'], /a duration is/],
    [['show', 'x'], /a request id is a UUID/],
    [['resolve', id], /--as is required/],
    [['resolve', id, ...decide('processing')], /--as is required/],
    [['resolve', id, ...decide('created')], /--client-id belongs to --as created/],
    [['resolve', id, ...decide('created', '--client-id', ' ')], /is no id/],
    [['resolve', id, '--as', 'rejected', '--why', 'x'], /--by is required/],
    [['resolve', id, '--as', 'rejected', '--by', 'ann'], /--why is required/],
    [['resolve', id, '--as', 'rejected', '--by', 'ann@example.com', '--why', 'x'], /--by must hold no personal data/],
    [['resolve', id, '--as', 'rejected', '--by', 'ann', '--why', 'called +998 90 123'], /--why must hold no personal/],
    [['compare', '/nowhere.csv'], /cannot be read \(ENOENT\)/],
    [['compare'], /takes 1 value/],
  ] as const
  await Promise.all(
    cases.map(async ([args, errors]) => t.match(await run(args), { code: 64, printed: '', errors }, args.join(' '))),
  )
  for (const name of ['help', '--help']) {
    const { code, printed } = await run([name])
    t.match({ code, printed }, { code: 0, printed: /^Usage: / })
    for (const line of printed.split('\n')) t.ok(line.length <= 80, `${line.length} columns: ${line}`)
    for (const exitCode of Object.values(exitCodes)) t.match(printed, new RegExp(`\\b${exitCode} `))
  }
})

t.test('settings that name no ledger of this account are 78', async (t) => {
  const inMemory = operatorOf({})
  const id = randomUUID()
  const file = `${t.testdir({ 'export.csv': 'request_id,client_id\n' })}/export.csv`
  const decision = decide('rejected', '--yes')
  for (const args of [['list'], ['show', id], ['resolve', id, ...decision], ['stats'], ['compare', file]]) {
    const refusal = { code: 78, printed: '', errors: /no process can look into the memory of another/ }
    t.match(await inMemory(args), refusal, args.join(' '))
  }
  // Without FreedomPay's credentials `ask` would end before it opens the ledger.
  const asked = await inMemory(['ask', id], { env: partnerSettings('http://127.0.0.1:1') })
  t.match(asked, { code: 78, printed: '', errors: /no process can look into the memory of another/ }, 'ask')
  t.match(await operatorOf({ LEDGER_URL: 'sqlite:/nowhere/ledger.db' })(['list']), {
    code: 78,
    errors: /LEDGER_URL names a file in a folder/,
  })
  const url = `sqlite:${dirname(file)}/ledger.db`
  t.match(await operatorOf({ LEDGER_URL: url })(['list']), { code: 78, errors: /a file that does not exist/ })
  t.match(await operatorOf({ LEDGER_URL: url, PORT: 'x' })(['stats']), { code: 78, errors: /PORT/ })
})

t.test('a ledger or a partner that is away is 69', async (t) => {
  const away = operatorOf({ LEDGER_URL: 'redis://user:hidden@127.0.0.1:1' })
  const { code, errors } = await away(['list'])
  t.equal(code, 69)
  t.equal(errors, 'The ledger cannot be reached, read or written (LEDGER_URL).\n')
})
