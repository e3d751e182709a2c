import t from 'tap'
import { type Preference, parsePrefer } from '../../../src/clients/create/prefer-header.ts'

interface Row {
  header: string | undefined
  wait: Preference['wait']
  applied: string
}

const rows: Row[] = [
  { header: undefined, wait: undefined, applied: '' },
  { header: '', wait: undefined, applied: '' },
  { header: ',', wait: undefined, applied: '' },
  { header: 'return=minimal', wait: undefined, applied: '' },
  { header: 'respond-async', wait: 'until-accepted', applied: 'respond-async' },
  { header: 'Respond-Async', wait: 'until-accepted', applied: 'respond-async' },
  { header: 'respond-async; foo="some parameter"', wait: 'until-accepted', applied: 'respond-async' },
  { header: 'wait=10', wait: 10_000, applied: 'wait=10' },
  { header: 'WAIT=10', wait: 10_000, applied: 'wait=10' },
  { header: 'wait = 10', wait: 10_000, applied: 'wait=10' },
  { header: 'wait="10"', wait: 10_000, applied: 'wait=10' },
  { header: 'wait=10; foo', wait: 10_000, applied: 'wait=10' },
  { header: 'wait=0', wait: 0, applied: 'wait=0' },
  { header: 'wait=007', wait: 7000, applied: 'wait=7' },
  { header: 'wait=25', wait: 25_000, applied: 'wait=25' },
  // Longer than the deadline cannot be honoured; what can be is said.
  { header: 'wait=26', wait: 25_000, applied: 'wait=25' },
  { header: 'wait=999999999', wait: 25_000, applied: 'wait=25' },
  { header: 'wait=99999999999999999999', wait: 25_000, applied: 'wait=25' },
  // Together (RFC 7240, section 4.3): wait that long, then answer asynchronously.
  { header: 'respond-async, wait=10', wait: 10_000, applied: 'respond-async, wait=10' },
  { header: 'wait=10,respond-async', wait: 10_000, applied: 'respond-async, wait=10' },
  { header: 'return=minimal, wait=3 , foo=bar', wait: 3000, applied: 'wait=3' },
  // Malformed ones are ignored.
  { header: 'wait', wait: undefined, applied: '' },
  { header: 'wait=', wait: undefined, applied: '' },
  { header: 'wait=-1', wait: undefined, applied: '' },
  { header: 'wait=1.5', wait: undefined, applied: '' },
  { header: 'wait=1=2', wait: undefined, applied: '' },
  { header: 'wait=1e3', wait: undefined, applied: '' },
  { header: 'wait=ten', wait: undefined, applied: '' },
  { header: 'wait="10', wait: undefined, applied: '' },
  { header: 'respond-async=yes', wait: undefined, applied: '' },
  { header: 'respond-async="yes"', wait: undefined, applied: '' },
  { header: 'respond-async=no, wait=2', wait: 2000, applied: 'wait=2' },
  // An empty value is no value (section 2).
  { header: 'respond-async=', wait: 'until-accepted', applied: 'respond-async' },
  { header: 'respond-async=""', wait: 'until-accepted', applied: 'respond-async' },
  // Of a preference given twice the first counts (section 2), whatever it is.
  { header: 'wait=2, wait=9', wait: 2000, applied: 'wait=2' },
  { header: 'wait=soon, wait=9', wait: undefined, applied: '' },
  // Separators within a quoted string separate nothing.
  { header: 'foo="a, respond-async, b"', wait: undefined, applied: '' },
  { header: 'foo="a, wait=9", wait=2', wait: 2000, applied: 'wait=2' },
  { header: 'foo="wait=9; respond-async"; bar="wait=8"', wait: undefined, applied: '' },
]

for (const { header, wait, applied } of rows) {
  t.test(`Prefer ${JSON.stringify(header)} applies ${applied || 'nothing'}`, async (t) => {
    t.strictSame(parsePrefer(header, 25_000), { wait, applied })
  })
}

t.test('a wait ends at the deadline, also where the deadline is not whole seconds', async (t) => {
  t.strictSame(parsePrefer('wait=10', 6500), { wait: 6500, applied: 'wait=7' })
  t.strictSame(parsePrefer('wait=10', 900), { wait: 900, applied: 'wait=1' })
})
