/** Reads CSV (RFC 4180), and the forms that spreadsheets write: with a byte order mark, with `;` or a tab instead of the comma. */

const delimiters = [',', ';', '\t'] as const

export interface CsvRecord {
  /** The line of the file on which the record begins, from 1. A quoted cell may hold line breaks. */
  readonly line: number
  readonly cells: readonly string[]
}

/** Leaves out empty lines. @throws SyntaxError where a quotation has no end */
export function readCsv(text: string): CsvRecord[] {
  const source = text.replace(/^\ufeff/, '')
  const delimiter = findDelimiter(source)
  const plainCell = new RegExp(`[^\\r\\n${delimiter}]*`, 'y')
  const ending = new RegExp(`${delimiter}|\\r\\n|\\n|\\r|$`, 'y')
  const records: CsvRecord[] = []
  let at = 0
  let line = 1
  let beginsOn = 1
  let cells: string[] = []

  /** A quotation is searched, not matched: a pattern would need a place on the stack for each character. */
  function readCell(): string {
    if (source[at] !== '"') return readPlain()
    const from = at + 1
    at = source.indexOf('"', from)
    while (at >= 0 && source[at + 1] === '"') at = source.indexOf('"', at + 2)
    if (at < 0) throw misplaced()
    const quoted = source.slice(from, at)
    at += 1
    line += quoted.match(/\r\n|\n|\r/g)?.length ?? 0
    return quoted.replaceAll('""', '"')
  }

  function readPlain(): string {
    plainCell.lastIndex = at
    const [plain = ''] = plainCell.exec(source) ?? []
    at += plain.length
    return plain
  }

  function readEnding(): string {
    ending.lastIndex = at
    const [end] = ending.exec(source) ?? []
    if (end === undefined) throw misplaced()
    at += end.length
    return end
  }

  function misplaced(): SyntaxError {
    return new SyntaxError(`a quotation mark out of place in line ${line}`)
  }

  while (at < source.length || cells.length > 0) {
    cells.push(readCell())
    if (readEnding() === delimiter) continue
    if (cells.length > 1 || cells[0] !== '') records.push({ line: beginsOn, cells })
    cells = []
    line += 1
    beginsOn = line
  }
  return records
}

/** The delimiter that occurs most often in the first line. */
function findDelimiter(source: string): string {
  const [header = ''] = source.split(/[\r\n]/, 1)
  const count = (delimiter: string) => header.split(delimiter).length
  return delimiters.reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best))
}
