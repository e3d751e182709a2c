/** The drift of each create is told in one line, once. */
import t from 'tap'
import { createDriftBook, type DriftBook, failureMessage } from '../../src/partner/drifts.ts'

function startBook() {
  const lines: object[] = []
  const log = { warn: (fields: object, message: string) => void lines.push({ fields, message }) }
  const book = createDriftBook()
  return { book, lines, log }
}

/** The create is asked about once, and `count` of the answers drift. Returns whether its drift was told before. */
function ask(book: DriftBook, requestId: string, count: number, log: Parameters<DriftBook['close']>[2]): boolean {
  const drifts = book.open(requestId)
  drifts.count += count
  if (count > 0) drifts.first ??= { operation: 'status' }
  book.close(requestId, drifts, log)
  return drifts.isTold
}

t.test('the answers of one create that drift are told in one line, with their number', async (t) => {
  const { book, lines, log } = startBook()
  t.equal(ask(book, 'a', 2, log), false)
  t.strictSame(lines, [{ fields: { operation: 'status', drifts: 2 }, message: failureMessage }])
  t.equal(failureMessage, 'partner call failed')
})

t.test('a create whose drift was told is not told again', async (t) => {
  const { book, lines, log } = startBook()
  ask(book, 'a', 1, log)
  t.equal(ask(book, 'a', 1, log), true)
  t.equal(ask(book, 'b', 1, log), false, 'another create is')
  t.equal(lines.length, 2)
})

t.test('a create without drift leaves no line, and its later drift is told', async (t) => {
  const { book, lines, log } = startBook()
  ask(book, 'a', 0, log)
  t.strictSame(lines, [])
  t.equal(ask(book, 'a', 1, log), false)
  t.equal(lines.length, 1)
})

t.test('the book holds the last 10,000 creates whose drift was told', async (t) => {
  const { book, log } = startBook()
  for (let i = 0; i < 10_000; i++) ask(book, `id ${i}`, 1, log)
  t.equal(book.open('id 0').isTold, true)
  ask(book, 'one more', 1, log)
  t.equal(book.open('id 0').isTold, false)
  t.equal(book.open('id 1').isTold, true)
  t.equal(book.open('one more').isTold, true)
})
