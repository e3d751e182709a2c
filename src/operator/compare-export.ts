/** `compare`: compares FreedomPay's own list with the ledger. Only this check can find a wrong outcome that was told as final. */
import { readFileSync } from 'node:fs'
import { states } from '../ledger/states.ts'
import { type Command, readArguments } from './command.ts'
import { compareWith, type Differences, type Export } from './differences.ts'
import { exitCodes, OperatorError, usageError } from './exit.ts'
import { type CsvRecord, readCsv } from './read-csv.ts'

const options = {
  'request-id-column': { type: 'string', default: 'request_id' },
  'client-id-column': { type: 'string', default: 'client_id' },
  'exported-at': { type: 'string' },
} as const

export const compareExport: Command = {
  usage: `compare <file.csv> [--request-id-column request_id]
          [--client-id-column client_id] [--exported-at <RFC 3339 time>]`,
  summary: 'what only the ledger or only FreedomPay’s list has',
  prepare(args) {
    const { values, positionals } = readArguments(args, options, 1)
    const exportedAtMs = toTime(values['exported-at'])
    const { list, faults } = readExport(positionals[0] ?? '', values['request-id-column'], values['client-id-column'])
    return async ({ openLedger, terminal }) => {
      const ledger = await openLedger()
      const differences = await compareWith(list, ledger.list({ states }), exportedAtMs)
      for (const line of render(differences, faults)) terminal.print(line)
      return differences.found.size + faults.length > 0 ? exitCodes.difference : exitCodes.ok
    }
  },
}

function toTime(text: string | undefined): number {
  if (text === undefined) return Infinity
  const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/.test(text)
    ? Date.parse(text)
    : NaN
  if (Number.isNaN(time)) throw usageError('--exported-at is a time with its offset, such as 2026-11-24T02:00:00Z')
  return time
}

interface ReadExport {
  /** The clients of each request; a request without a client has an empty set. */
  readonly list: Export
  /** The lines that cannot be compared. Each may be a client that only FreedomPay has. */
  readonly faults: readonly string[]
}

function readExport(path: string, requestIdColumn: string, clientIdColumn: string): ReadExport {
  const [header, ...records] = readRecords(path)
  const names = header?.cells.map((name) => name.trim().toLowerCase()) ?? []
  const [requestIds, clientIds] = [findColumn(names, requestIdColumn), findColumn(names, clientIdColumn)]
  const list = new Map<string, Set<string>>()
  const faults: string[] = []
  for (const { line, cells } of records) {
    // Spreadsheets write rows of empty cells.
    if (cells.every((cell) => cell.trim() === '')) continue
    const requestId = cells[requestIds]?.trim().toLowerCase() ?? ''
    const clientId = cells[clientIds]?.trim() ?? ''
    if (cells.length !== names.length) {
      faults.push(
        `line ${line}: ${cells.length} ${cells.length === 1 ? 'cell' : 'cells'}, and the header has ${names.length}`,
      )
    } else if (requestId === '') {
      faults.push(`line ${line}: no request id${clientId === '' ? '' : `; the client is ${clientId}`}`)
    } else {
      const clients = list.get(requestId) ?? new Set()
      if (clientId !== '') clients.add(clientId)
      list.set(requestId, clients)
    }
  }
  return { list, faults }
}

function findColumn(names: readonly string[], column: string): number {
  const index = names.indexOf(column.toLowerCase())
  if (index < 0) throw usageError(`the file has no column ${column}`)
  if (names.lastIndexOf(column.toLowerCase()) > index)
    throw usageError(`the file has the column ${column} more than once`)
  return index
}

function readRecords(path: string): CsvRecord[] {
  try {
    return readCsv(readFileSync(path, 'utf8'))
  } catch (cause) {
    if (cause instanceof SyntaxError) throw usageError(`the file is no CSV: ${cause.message}`)
    const { code } = cause as NodeJS.ErrnoException
    if (code === undefined) throw cause
    throw new OperatorError(exitCodes.usage, `the file cannot be read (${code})`, { cause })
  }
}

const titles = {
  severalClients: 'FreedomPay has several clients for one request',
  otherClient: 'the client is another one: here / FreedomPay',
  toldOtherwise: 'FreedomPay has a client, and the ledger says that there is none',
  notFinal: 'FreedomPay has a client, and the ledger does not know the outcome yet',
  onlyThere: 'only FreedomPay has the request',
  onlyHere: 'only the ledger has the client',
} as const satisfies Record<keyof Differences['byKind'], string>

function render({ byKind, same, found }: Differences, faults: readonly string[]): string[] {
  const lines: string[] = []
  if (faults.length > 0) {
    lines.push(
      `lines of the list that cannot be compared (${faults.length}):`,
      ...faults.map((fault) => `  ${fault}`),
      '',
    )
  }
  for (const kind of Object.keys(titles) as (keyof typeof titles)[]) {
    const differences = byKind[kind]
    if (differences.length === 0) continue
    lines.push(`${titles[kind]} (${differences.length}):`)
    for (const { requestId, facts } of differences) {
      const [first = '', ...more] = facts
      lines.push(`  ${requestId} ${first}`.trimEnd(), ...more.map((fact) => `  ${' '.repeat(36)} ${fact}`))
    }
    lines.push('')
  }
  const told = tellCount(found.size, faults.length)
  return [...lines, `${told}; ${same} ${same === 1 ? 'client is' : 'clients are'} the same on both sides`]
}

function tellCount(requests: number, faults: number): string {
  if (requests + faults === 0) return 'no difference'
  const differ = `${requests === 0 ? 'no' : requests} ${requests <= 1 ? 'request differs' : 'requests differ'}`
  return faults === 0 ? differ : `${differ}, ${faults} ${faults === 1 ? 'line' : 'lines'} cannot be compared`
}
