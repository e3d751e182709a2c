/** FreedomPay's own list beside the ledger. */
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { addRow, forEachSharedEngine, type RunOperator } from '../fixtures/operator.ts'

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
})

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
