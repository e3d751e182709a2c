/** Reads CSV (RFC 4180), and the forms that spreadsheets write: with a byte order mark, with `;` or a tab instead of the comma. */

const delimiters = [',', ';', '\t'] as const

/** @throws SyntaxError where a quotation has no end */
export function readCsv(text: string): string[][] {
  const source = text.replace(/^\ufeff/, '')
  const delimiter = findDelimiter(source)
  const records: string[][] = []
  let record: string[] = []
  const cell = new RegExp(
    `(?:"((?:[^"]|"")*)"|([^"\\r\\n${delimiter}][^\\r\\n${delimiter}]*)?)(${delimiter}|\\r\\n|\\n|\\r|$)`,
    'y',
  )
  while (cell.lastIndex < source.length) {
    const at = cell.lastIndex
    const [match, quoted, plain = '', end] = cell.exec(source) ?? []
    if (match === undefined) throw new SyntaxError(`a quotation mark out of place after ${at} characters`)
    record.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (end === delimiter) continue
    if (record.length > 1 || record[0] !== '') records.push(record)
    record = []
  }
  // The text ends with a delimiter, so with an empty cell.
  if (record.length > 0) records.push([...record, ''])
  return records
}

/** The delimiter that occurs most often in the first line. */
function findDelimiter(source: string): string {
  const [header = ''] = source.split(/[\r\n]/, 1)
  const count = (delimiter: string) => header.split(delimiter).length
  return delimiters.reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best))
}
