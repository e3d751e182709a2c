/** The operator's view of a PostgreSQL ledger. A list is read in pages without a lock. Each page is a snapshot. */
import { randomUUID } from 'node:crypto'
import { type InspectableLedger, type InspectedRow, isOfUnresolved, isResolvable, matches } from './inspection.ts'
import type { Postgres } from './postgres-connection.ts'
import { escapeText, type StoredRow, toRow, unescapeText } from './postgres-rows.ts'
import { rowColumns, type Statement, toMs } from './postgres-statements.ts'
import { isFinal, states } from './states.ts'

const rowsAtOnce = 500
/** Few enough for the time limit of a call, also where the rows must be read from the disk. */
const countedAtOnce = 5000
/** Another process may change the row between the read and the decision. Then the row is read again. */
const resolveTries = 5

const columns = `${rowColumns}, ${toMs('next_ask_at - now()')} AS next_ask_in_ms, resolved_by, resolved_why,
  ${toMs('resolved_at')} AS resolved_ms`
const unresolved = states.filter((state) => !isFinal(state)).map((state) => `'${state}'`)

function page(name: string, condition: string): Statement {
  const text = `
SELECT ${columns} FROM ledger_request WHERE ${condition} AND request_id > $1 ORDER BY request_id LIMIT ${rowsAtOnce}`
  return { name, text }
}

const everyRow = page('ledger-list', 'true')
const unresolvedRows = page('ledger-list-unresolved', `state IN (${unresolved.join(', ')})`)
const inspect: Statement = {
  name: 'ledger-inspect',
  text: `SELECT ${columns} FROM ledger_request WHERE request_id = $1`,
}
/**
 * The condition names every column that `isResolvable` judges and that a change of another process may move meanwhile.
 * request_id, the expected token, state, client_id and is_inferred, the new state, client_id, the new token, by, why.
 */
const resolve: Statement = {
  name: 'ledger-resolve',
  text: `
UPDATE ledger_request SET state = $6, client_id = $7,
  partner_code = CASE $6 WHEN 'rejected' THEN partner_code END,
  partner_description = CASE $6 WHEN 'rejected' THEN partner_description END,
  claim_token = $8, is_inferred = true, doubts = 0, doubted_at = NULL, asks = 0,
  updated_at = date_trunc('milliseconds', now()), deadline_at = least(deadline_at, now()), next_ask_at = NULL,
  resolved_by = $9, resolved_why = $10, resolved_at = date_trunc('milliseconds', now())
WHERE request_id = $1 AND claim_token = $2 AND state = $3 AND client_id IS NOT DISTINCT FROM $4 AND is_inferred = $5
RETURNING ${columns}`,
}

/** The request_id after which the page begins. */
const countResolved: Statement = {
  name: 'ledger-count-resolved',
  text: `
SELECT count(resolved_at)::float8 AS resolved, count(*)::float8 AS counted, max(request_id) AS last FROM (
  SELECT request_id, resolved_at FROM ledger_request WHERE request_id > $1 ORDER BY request_id LIMIT ${countedAtOnce}
) AS page`,
}

/** The statements for operators, next to the statements of the service. */
export const inspectionStatements = { everyRow, unresolvedRows, inspect, resolve, countResolved } as const

interface InspectedColumns {
  next_ask_in_ms: number | null
  resolved_by: string | null
  resolved_why: string | null
  resolved_ms: number | null
}

interface CountedPage {
  resolved: number
  counted: number
  last: string | null
}

export function inspectPostgres(run: Postgres['run']): InspectableLedger {
  function inspected(stored: StoredRow & InspectedColumns): InspectedRow {
    const { next_ask_in_ms, resolved_by, resolved_why, resolved_ms } = stored
    const by = unescapeText(resolved_by ?? '')
    const why = unescapeText(resolved_why ?? '')
    return {
      ...toRow(stored),
      nextAskInMs: next_ask_in_ms ?? undefined,
      resolution: resolved_ms === null ? undefined : { by, why, atMs: resolved_ms },
    }
  }

  async function inspectRow(requestId: string): Promise<InspectedRow | undefined> {
    const { rows } = await run<StoredRow & InspectedColumns>(inspect, [escapeText(requestId)])
    return rows[0] && inspected(rows[0])
  }

  return {
    async *list(filter) {
      const statement = isOfUnresolved(filter) ? unresolvedRows : everyRow
      for (let after = ''; ; ) {
        const { rows } = await run<StoredRow & InspectedColumns>(statement, [escapeText(after)])
        for (const row of rows.map(inspected)) {
          after = row.requestId
          if (matches(row, filter)) yield row
        }
        if (rows.length < rowsAtOnce) return
      }
    },
    inspect: inspectRow,
    async resolve(requestId, decision) {
      for (let tries = 0; tries < resolveTries; tries++) {
        const row = await inspectRow(requestId)
        if (row === undefined) return undefined
        if (!isResolvable(row, decision)) return { row, was: undefined }
        const { state, clientId, by, why } = decision
        const expected = [...[requestId, row.claimToken, row.state, row.clientId].map(escapeText), row.isInferred]
        const wanted = [state, clientId, randomUUID(), by, why].map(escapeText)
        const { rows } = await run<StoredRow & InspectedColumns>(resolve, [...expected, ...wanted])
        if (rows[0] !== undefined) return { row: inspected(rows[0]), was: row.state }
      }
      throw new Error('the row changed during every attempt to resolve the row; try again')
    },
    async countResolved() {
      let resolved = 0
      for (let after = ''; ; ) {
        const { rows } = await run<CountedPage>(countResolved, [after])
        const [page] = rows as [CountedPage]
        resolved += page.resolved
        if (page.counted < countedAtOnce || page.last === null) return resolved
        after = page.last
      }
    },
  }
}
