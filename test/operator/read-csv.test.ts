import fc from 'fast-check'
import t from 'tap'
import { readCsv } from '../../src/operator/read-csv.ts'

const cellsOf = (text: string) => readCsv(text).map(({ cells }) => cells)

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
    t.strictSame(cellsOf(text), records, JSON.stringify(text))
  }
})

t.test('a quotation without an end is a fault', async (t) => {
  for (const text of ['"a,b\n1,2', 'a,b\n"1"x,2']) t.throws(() => readCsv(text), SyntaxError, text)
  t.throws(() => readCsv('a,b\r\n"1\r\n2",3\r\n"4"x,5'), /out of place in line 4/)
})

t.test('each record knows the line on which it begins', async (t) => {
  const records = readCsv('\ufeffa,b\r\n"1\r\n\n2",3\r\n\r\n4,5\n6,7\r8,')
  t.strictSame(
    records.map(({ line, cells }) => [line, cells[0]]),
    [
      [1, 'a'],
      [2, '1\r\n\n2'],
      [6, '4'],
      [7, '6'],
      [8, '8'],
    ],
  )
})

t.test('a cell may be as large as the file', async (t) => {
  const size = 20_000_000
  for (const cell of [`"${'x'.repeat(size)}"`, 'x'.repeat(size), `"${'""'.repeat(size / 2)}"`]) {
    const [, record] = readCsv(`a,b\n1,${cell}\n`)
    t.equal(record?.cells[1]?.length, cell.startsWith('""') ? size / 2 : size)
  }
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
      t.strictSame(cellsOf(text), whole)
    }),
    { seed },
  )
})
