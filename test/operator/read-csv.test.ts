import fc from 'fast-check'
import t from 'tap'
import { readCsv } from '../../src/operator/read-csv.ts'

t.test('what spreadsheets write is read', async (t) => {
  for (const [text, records] of [
    [
      'a,b\n1,2\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      '\ufeffa;b\r\n1;2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'a\tb\r1\t2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      '"a,""x""",b\n\n"1\n2",\n',
      [
        ['a,"x"', 'b'],
        ['1\n2', ''],
      ],
    ],
    [
      'a,b\n1,',
      [
        ['a', 'b'],
        ['1', ''],
      ],
    ],
    [
      'a,b\n,2',
      [
        ['a', 'b'],
        ['', '2'],
      ],
    ],
    ['', []],
  ] as const) {
    t.strictSame(readCsv(text), records, JSON.stringify(text))
  }
})

t.test('a quotation without an end is a fault', async (t) => {
  for (const text of ['"a,b\n1,2', 'a,b\n"1"x,2']) t.throws(() => readCsv(text), SyntaxError, text)
})

t.test('what is written is read back', async (t) => {
  const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', ';', '\n', '\r', ' ', 'ў') })
  const seed = Date.now()
  t.comment(`fast-check seed ${seed}`)
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 2 })), (records) => {
      const quote = (text: string) => `"${text.replaceAll('"', '""')}"`
      const whole = [['id', 'name'], ...records]
      const text = whole.map((record) => record.map(quote).join(',')).join('\r\n')
      t.strictSame(readCsv(text), whole)
    }),
    { seed },
  )
})
