import t from 'tap'
import { OperatorError } from '../../src/operator/exit.ts'
import { checkText } from '../../src/operator/personal-data.ts'
import { escapeControls, formatDuration, needsAttention } from '../../src/operator/texts.ts'
import { rowWith } from '../fixtures/rows.ts'

t.test('what looks like personal data is refused, and a ticket is not', async (t) => {
  for (const text of [
    '+998901234567',
    'born 1990-02-28',
    '28.02.1990',
    '12 345',
    '1 2 3 4 5',
    '(90) 1 23 - 4',
    '٠١٢٣٤',
    '12345',
    'ann@example.com',
    'ann＠example.com',
  ]) {
    t.throws(() => checkText('why', text), OperatorError, text)
  }
  for (const text of ['ticket OPS-1234', 'Ann, on the 24th', '4 of 10, see OPS-12'])
    t.equal(checkText('why', ` ${text} `), text)
  for (const text of ['', ' ', 'a\nb', 'x'.repeat(501)]) t.throws(() => checkText('why', text), OperatorError, text)
})

t.test('control characters are escaped as in JSON', async (t) => {
  t.equal(escapeControls('a \u001b[2J\n\u202e\u{e0041}б'), 'a \\u001b[2J\\u000a\\u202e\\udb40\\udc41б')
  const row = { description: '\u009b\u2028\u{e0041}\ud800' }
  t.strictSame(JSON.parse(escapeControls(JSON.stringify(row))), row)
})

t.test('durations are told by their two largest units', async (t) => {
  for (const [ms, text] of [
    [-5, '0s'],
    [0, '0s'],
    [999, '0s'],
    [61_000, '1m 1s'],
    [60_000, '1m'],
    [3_600_000, '1h'],
    [3_601_000, '1h'],
    [26 * 3_600_000 + 60_000, '1d 2h'],
  ] as const) {
    t.equal(formatDuration(ms), text)
  }
})

t.test('a row needs attention after a day without a final outcome', async (t) => {
  const dayMs = 86_400_000
  const row = (state: 'unknown' | 'created', sinceLastSendMs: number) => ({
    ...rowWith({ state, sinceLastSendMs }),
    nextAskInMs: 0,
    resolution: undefined,
  })
  t.equal(needsAttention(row('unknown', dayMs)), true)
  t.equal(needsAttention(row('unknown', dayMs - 1)), false)
  t.equal(needsAttention(row('created', dayMs)), false)
})
