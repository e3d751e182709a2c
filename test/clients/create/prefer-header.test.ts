import t from 'tap'
import { parsePrefer } from '../../../src/clients/create/prefer-header.ts'

interface Row {
  header: string | undefined
  waitMs: number | undefined
  applied: string
}

const rows: Row[] = [
  { header: undefined, waitMs: undefined, applied: '' },
  { header: '', waitMs: undefined, applied: '' },
  { header: ',', waitMs: undefined, applied: '' },
  { header: 'return=minimal', waitMs: undefined, applied: '' },
  { header: 'respond-async', waitMs: 0, applied: 'respond-async' },
  { header: 'Respond-Async', waitMs: 0, applied: 'respond-async' },
  { header: 'respond-async; foo="some parameter"', waitMs: 0, applied: 'respond-async' },
  { header: 'wait=10', waitMs: 10_000, applied: 'wait=10' },
  { header: 'WAIT=10', waitMs: 10_000, applied: 'wait=10' },
  { header: 'wait = 10', waitMs: 10_000, applied: 'wait=10' },
  { header: 'wait="10"', waitMs: 10_000, applied: 'wait=10' },
  { header: 'wait=10; foo', waitMs: 10_000, applied: 'wait=10' },
  { header: 'wait=0', waitMs: 0, applied: 'wait=0' },
  { header: 'wait=007', waitMs: 7000, applied: 'wait=7' },
  { header: 'wait=25', waitMs: 25_000, applied: 'wait=25' },
  // Longer than the deadline cannot be honoured; what can be is said.
  { header: 'wait=26', waitMs: 25_000, applied: 'wait=25' },
  { header: 'wait=999999999', waitMs: 25_000, applied: 'wait=25' },
  // Together (RFC 7240, section 4.3): wait that long, then answer asynchronously.
  { header: 'respond-async, wait=10', waitMs: 10_000, applied: 'respond-async, wait=10' },
  { header: 'wait=10,respond-async', waitMs: 10_000, applied: 'respond-async, wait=10' },
  { header: 'return=minimal, wait=3 , foo=bar', waitMs: 3000, applied: 'wait=3' },
  // Malformed ones are ignored.
  { header: 'wait', waitMs: undefined, applied: '' },
  { header: 'wait=', waitMs: undefined, applied: '' },
  { header: 'wait=-1', waitMs: undefined, applied: '' },
  { header: 'wait=1.5', waitMs: undefined, applied: '' },
  { header: 'wait=1=2', waitMs: undefined, applied: '' },
  { header: 'wait=1e3', waitMs: undefined, applied: '' },
  { header: 'wait=ten', waitMs: undefined, applied: '' },
  { header: 'wait="10', waitMs: undefined, applied: '' },
  { header: 'wait=9999999999', waitMs: undefined, applied: '' },
  { header: 'respond-async=yes', waitMs: undefined, applied: '' },
  { header: 'respond-async="yes"', waitMs: undefined, applied: '' },
  { header: 'respond-async=no, wait=2', waitMs: 2000, applied: 'wait=2' },
  // An empty value is no value (section 2).
  { header: 'respond-async=', waitMs: 0, applied: 'respond-async' },
  { header: 'respond-async=""', waitMs: 0, applied: 'respond-async' },
  // Of a preference given twice the first counts (section 2), whatever it is.
  { header: 'wait=2, wait=9', waitMs: 2000, applied: 'wait=2' },
  { header: 'wait=soon, wait=9', waitMs: undefined, applied: '' },
  // Separators within a quoted string separate nothing.
  { header: 'foo="a, respond-async, b"', waitMs: undefined, applied: '' },
  { header: 'foo="a, wait=9", wait=2', waitMs: 2000, applied: 'wait=2' },
  { header: 'foo="wait=9; respond-async"; bar="wait=8"', waitMs: undefined, applied: '' },
]

for (const { header, waitMs, applied } of rows) {
  t.test(`Prefer ${JSON.stringify(header)} applies ${applied || 'nothing'}`, async (t) => {
    t.strictSame(parsePrefer(header, 25_000), { waitMs, applied })
  })
}

t.test('a wait is whole seconds, even where the deadline is not', async (t) => {
  t.strictSame(parsePrefer('wait=10', 6500), { waitMs: 6000, applied: 'wait=6' })
  t.strictSame(parsePrefer('wait=10', 900), { waitMs: 0, applied: 'wait=0' })
})
