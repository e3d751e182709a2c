/** FreedomPay's own list beside the ledger. */
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { addRow, forEachSharedEngine, operatorOf, type RunOperator } from '../fixtures/operator.ts'

// Each command is a process of its own, which takes its time where others are busy, too.
t.setTimeout(300_000)

forEachSharedEngine(t, async (t, { ledger, run }) => {
  await t.test('compare finds what only one side has', async (t) => {
    const rows = await Promise.all(
      (['created', 'created', 'created', 'rejected', 'unknown', 'rejected'] as const).map((state) =>
        addRow(ledger, state),
      ),
    )
    const [same, other, here, lie, late, agreed] = rows.map(({ requestId }) => requestId)
    const twice = (await addRow(ledger, 'created')).requestId
    const there = randomUUID()
    const compare = compareWith(t, run)
    const all = await compare([
      [same, 'client-1'],
      [other, 'client-7'],
      [lie, 'client-8'],
      [late, 'client-9'],
      [agreed, ''],
      [twice, 'client-1'],
      [twice, 'client-5'],
      [there, 'client-6'],
    ])
    t.equal(all.code, 1)
    for (const [title, ...ids] of [
      [/several clients for one request \(1\)/, twice, 'client-5'],
      [/the client is another one: here \/ FreedomPay \(1\)/, other, 'client-7'],
      [/the ledger says that there is none \(1\)/, lie, 'client-8'],
      [/does not know the outcome yet \(1\)/, late, 'client-9'],
      [/only FreedomPay has the request \(1\)/, there, 'client-6'],
      [/only the ledger has the client \(1\)/, here, 'client-1'],
    ] as const) {
      const section = all.printed.split('\n\n').find((text) => title.test(text)) ?? ''
      for (const id of ids) t.ok(section.includes(id ?? '?'), `${title}: ${id}`)
      for (const line of section.split('\n')) t.ok(line.length <= 80, line)
    }
    t.match(all.printed, /6 requests differ; 1 client is the same on both sides\n$/)

    const whole = [same, other, here, twice].map((id) => [id, 'client-1'])
    t.match(await compare(whole), { code: 0, printed: 'no difference; 4 clients are the same on both sides\n' })
    const earlier = ['--exported-at', '2020-01-01T00:00:00Z']
    t.match(await compare(whole.slice(1), earlier), { code: 0 }, 'what has changed since the export is not missed')
    t.match(await compare(whole.slice(1)), { code: 1 })
  })

  await t.test('a line that cannot be compared is a difference, with its number', async (t) => {
    const { requestId } = await addRow(ledger, 'created')
    const others = (await Array.fromAsync(ledger.list({ states: ['created'] }))).map((row) => row.requestId)
    const whole = ['request_id,client_id', ...others.map((id) => `${id},client-1`)]
    const end = whole.length + 1
    for (const [line, told] of [
      [',c-77', `line ${end}: no request id; the client is c-77`],
      [`${randomUUID()}`, `line ${end}: 1 cell, and the header has 2`],
      [`${requestId},client-1,x`, `line ${end}: 3 cells, and the header has 2`],
      ['request_id,client_id', 'request_id client_id'],
    ] as const) {
      const { code, printed } = await compareText(t, run, [...whole, line, '', ','])
      t.equal(code, 1, line)
      t.ok(printed.includes(`  ${told}\n`), printed)
    }
    const two = await compareText(t, run, [...whole, ',c-77', 'x'])
    t.match(two, { code: 1, printed: /cannot be compared \(2\):\n/ })
    t.match(two.printed, /\nno request differs, 2 lines cannot be compared; \d+ clients are the same on both sides\n$/)
    t.match(await compareText(t, run, [...whole, '', ' , ']), { code: 0 }, 'an empty line is none')
  })

  await t.test('control characters of the list do not reach the terminal', async (t) => {
    const { printed } = await compareText(t, run, ['request_id,client_id', `${randomUUID()},\u001b[2Jc-\u202e1\u009b`])
    t.match(printed, '\\u001b[2Jc-\\u202e1\\u009b')
    for (const raw of ['\u001b', '\u009b', '\u202e']) t.notOk(printed.includes(raw))
  })
})

t.test('a column that stands twice in the header is wrong usage', async (t) => {
  const run = operatorOf({ LEDGER_URL: 'sqlite:/nowhere/ledger.db' })
  for (const header of ['request_id,client_id,Client_ID', 'request_id, request_id ,client_id']) {
    t.match(await compareText(t, run, [header]), { code: 64, errors: /has the column \w+_id more than once/ }, header)
  }
  t.match(await compareText(t, run, ['request_id']), { code: 64, errors: /has no column client_id/ })
})

function compareText(t: Test, run: RunOperator, lines: readonly string[]) {
  const file = join(t.testdir(), 'export.csv')
  writeFileSync(file, lines.join('\n'))
  return run(['compare', file])
}

function compareWith(t: Test, run: RunOperator) {
  const folder = t.testdir()
  return (records: readonly (readonly (string | undefined)[])[], more: readonly string[] = []) => {
    const file = join(folder, 'export.csv')
    const lines = [
      ['Client', 'Request'],
      ...records.map(([requestId, clientId]) => [clientId, requestId?.toUpperCase()]),
    ]
    writeFileSync(file, `\ufeff${lines.map((cells) => cells.map((cell) => `"${cell}"`).join(';')).join('\r\n')}\r\n`)
    return run(['compare', file, '--request-id-column', 'request', '--client-id-column', 'Client', ...more])
  }
}
