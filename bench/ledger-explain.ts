/**
 * How PostgreSQL carries out each statement of the ledger, over a million rows: `node bench/ledger-explain.ts [rows]`. It starts
 * a PostgreSQL of its own, prints each plan, and ends with 1 where a plan reads a whole table, or where a statement that a create or
 * the reconciler waits for is slow.
 */
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { Client, escapeLiteral } from 'pg'
import type { Change } from '../src/ledger/ledger.ts'
import { inspectionStatements } from '../src/ledger/postgres-inspection.ts'
import { migrate } from '../src/ledger/postgres-schema.ts'
import { type Statement, statements as serviceStatements } from '../src/ledger/postgres-statements.ts'
import { attentionAfterMs } from '../src/ledger/rules.ts'
import { correctionsOfInferredRejection, predecessors } from '../src/ledger/states.ts'
import { skipPostgres, startPostgres } from '../test/fixtures/postgres.ts'

/** The probe is a block of several statements, which has no plan. */
const { probe: _, ...planned } = serviceStatements
const statements = { ...planned, ...inspectionStatements }
const rowCount = Number(parseArgs({ allowPositionals: true }).positionals[0] ?? 1_000_000)
const rounds = 21
const wholeTable = /Seq Scan on ledger_request/
/** Each of these takes less, at the median. */
const waitedFor: readonly string[] = ['claim', 'record', 'takeDue']
const limitMs = 1
const week = 7 * 24 * 3_600_000

/** Of a hundred rows one is not final; of these one in ten is due. One of a hundred is past the retention. */
const fill = `
INSERT INTO ledger_request (request_id, key_id, caller, fingerprint, state, client_id, claim_token, claims, updated_at,
  deadline_at, next_ask_at, asks)
SELECT md5('id' || n), CASE WHEN n % 10 < 9 THEN md5('key' || n) END, 'caller-' || n % 50, md5('print' || n),
  CASE WHEN n % 100 > 0 THEN 'created' WHEN n % 300 = 0 THEN 'processing' ELSE 'unknown' END,
  CASE WHEN n % 100 > 0 AND n % 10000 <> 1 THEN 'client-' || n END, 'token', 1,
  now() - n::float8 / $1 * interval '170 hours', now() - interval '1 minute',
  CASE WHEN n % 10000 = 1 THEN now() + interval '1 hour' WHEN n % 1000 = 0 THEN now() - n % 60 * interval '1 second'
    WHEN n % 100 = 0 THEN now() + n % 3600 * interval '1 second' END,
  n / 1000 % 2
FROM generate_series(1, $1::integer) AS n`

/** Unresolved rows: the number of the first, how many, the number of all rows. */
const rowsFrom = `
SELECT md5('key' || $1::integer) AS key,
  ARRAY(SELECT md5('id' || 1 + ($1 - 1 + 100 * i) % $3::integer) FROM generate_series(0, $2::integer - 1) AS i) AS ids`

type Value = string | number | boolean | null
type Values = readonly (Value | readonly Value[])[]

const change: Change = { state: 'created', clientId: 'client' }

/** How many rows a group of claims or changes holds. */
const groupSize = 8

const toColumns = (rows: readonly (readonly Value[])[]) =>
  (rows[0] ?? []).map((_, i) => rows.map((row) => row[i] ?? null))

const claimValues = (): Value[] => [randomUUID(), randomUUID(), 'caller', 'print', randomUUID(), 25_000, 27_000]

function changeValues(id: string): Value[] {
  const { state, clientId = null } = change
  const corrects = correctionsOfInferredRejection.some((one) => one === state)
  const texts = [id, 'token', state, clientId, null, null]
  return [...texts, false, false, null, false, predecessors.created.join(), true, corrects, false]
}

/** The values of one call; `ids` are other unresolved rows each time. */
function valuesOf(name: keyof typeof statements, ids: readonly string[], key: string): Values {
  const [id = ''] = ids
  switch (name) {
    case 'claim':
      return claimValues()
    case 'claimGroup':
      return toColumns(Array.from({ length: groupSize }, claimValues))
    case 'recordGroup':
      return toColumns(ids.map(changeValues))
    case 'find':
      return [id]
    case 'findByKey':
      return [key]
    case 'renew':
      return [id, 'token', randomUUID(), 25_000, 27_000, false]
    case 'record':
      return changeValues(id)
    case 'takeDue':
      return [60_000, 16]
    case 'postpone':
      return [id, 'token', 1000, 1, 0, false, 0]
    case 'forget':
    case 'forgetWithoutId':
      return [week]
    case 'stats':
      return [attentionAfterMs]
    case 'adopt':
      return ['account', randomUUID()]
    case 'everyRow':
    case 'unresolvedRows':
    case 'countResolved':
    case 'inspect':
      return [id]
    case 'resolve':
      return [id, 'token', 'unknown', null, false, 'created', 'client', randomUUID(), 'a person', 'found in the export']
  }
}

function toLiteral(value: Values[number]): string {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return escapeLiteral(value)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return escapeLiteral(`{${value.map((one) => (one === null ? 'NULL' : JSON.stringify(one))).join(',')}}`)
}

async function explain(client: Client, { name, text }: Statement, values: Values): Promise<string> {
  const call = values.length === 0 ? '' : `(${values.map(toLiteral).join(', ')})`
  await client.query(`PREPARE "${name}" AS ${text}`)
  const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS) EXECUTE "${name}"${call}`)
  await client.query(`DEALLOCATE "${name}"`)
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

async function run(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url })
  await client.connect()
  await migrate(client)
  await client.query(fill, [rowCount])
  await client.query('VACUUM ANALYZE')
  // What each connection comes to after a few calls: one plan for all values.
  await client.query('SET plan_cache_mode = force_generic_plan')
  const medians: string[] = []
  let isGood = true
  for (const name of Object.keys(statements) as (keyof typeof statements)[]) {
    const times: number[] = []
    let plan = ''
    for (let round = 0; round < rounds; round++) {
      const n = 100 * (1 + Math.floor(Math.random() * (rowCount / 100)))
      const { rows } = await client.query(rowsFrom, [n, groupSize, rowCount])
      const explained = await explain(client, statements[name], valuesOf(name, rows[0].ids, rows[0].key))
      times.push(Number(/Execution Time: ([\d.]+)/.exec(explained)?.[1]))
      // The first plan is shown, or a later one that reads the whole table.
      if (plan === '' || wholeTable.test(explained)) plan = explained
    }
    const isWhole = wholeTable.test(plan)
    const sorted = times.toSorted((a, b) => a - b)
    const median = sorted[rounds >> 1] ?? Number.NaN
    const isSlow = waitedFor.includes(name) && !(median < limitMs)
    isGood &&= !isWhole && !isSlow
    console.log(`== ${name}${isWhole ? ' READS THE WHOLE TABLE' : ''}\n${plan}\n`)
    const word = isSlow ? ` SLOW: ${limitMs} ms is the limit` : ''
    medians.push(`${name.padEnd(16)} ${median.toFixed(3)} ms, at most ${sorted.at(-1)?.toFixed(3)} ms${word}`)
  }
  console.log(`Over ${rowCount} rows, median of ${rounds}, without the commit:\n${medians.join('\n')}`)
  await client.end()
  return isGood
}

if (skipPostgres !== false) {
  console.log(skipPostgres)
} else {
  const endings: (() => unknown)[] = []
  try {
    const settings = { shared_buffers: '256MB', max_wal_size: '2GB' }
    const { url } = await startPostgres({ teardown: (ending) => endings.push(ending) }, { settings })
    if (!(await run(url))) process.exitCode = 1
  } finally {
    for (const ending of endings) await ending()
  }
}
