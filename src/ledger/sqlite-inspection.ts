/** The operator's view of a SQLite ledger. A list is read in pages without a lock. Each page is a snapshot. */
import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { WriteTogether } from './group-commit.ts'
import { type InspectableLedger, type InspectedRow, isOfUnresolved, isResolvable, matches } from './inspection.ts'
import type { Row } from './ledger.ts'

const rowsAtOnce = 500

interface InspectedColumns {
  request_id: string
  next_ask_at: number | null
  resolved_by: string | null
  resolved_why: string | null
  resolved_at: number | null
}

export function inspectSqlite(
  database: DatabaseSync,
  together: WriteTogether,
  toRow: (stored: unknown, now: number) => Row,
): InspectableLedger {
  const page = (from: string) => database.prepare(`${from} AND request_id > ? ORDER BY request_id LIMIT ${rowsAtOnce}`)
  const everyRow = page('SELECT * FROM request WHERE true')
  const unresolvedRows = page(`
    SELECT * FROM request INDEXED BY request_unresolved WHERE state IN ('sent', 'unknown', 'processing')`)
  const countResolved = database.prepare('SELECT count(*) AS count FROM request WHERE resolved_at IS NOT NULL')
  const select = database.prepare('SELECT * FROM request WHERE request_id = ?')
  const resolve = database.prepare(`
    UPDATE request SET state = ?2, client_id = ?3,
      partner_code = CASE ?2 WHEN 'rejected' THEN partner_code END,
      partner_description = CASE ?2 WHEN 'rejected' THEN partner_description END,
      claim_token = ?4, is_inferred = 1, doubts = 0, doubted_at = NULL, asks = 0, updated_at = ?5,
      deadline_at = min(deadline_at, ?5), next_ask_at = NULL, resolved_by = ?6, resolved_why = ?7, resolved_at = ?5
    WHERE request_id = ?1
    RETURNING *`)

  function inspected(stored: unknown, now: number): InspectedRow {
    const { next_ask_at, resolved_by: by, resolved_why: why, resolved_at } = stored as InspectedColumns
    const resolution = resolved_at === null ? undefined : { by: by ?? '', why: why ?? '', atMs: resolved_at }
    return { ...toRow(stored, now), nextAskInMs: next_ask_at === null ? undefined : next_ask_at - now, resolution }
  }

  return {
    async *list(filter) {
      const rows = isOfUnresolved(filter) ? unresolvedRows : everyRow
      for (let after = ''; ; ) {
        const now = Date.now()
        const stored = rows.all(after) as unknown[]
        for (const row of stored.map((columns) => inspected(columns, now))) {
          after = row.requestId
          if (matches(row, filter)) yield row
        }
        if (stored.length < rowsAtOnce) return
      }
    },
    async inspect(requestId) {
      const stored = select.get(requestId)
      return stored && inspected(stored, Date.now())
    },
    resolve: (requestId, decision) =>
      together(() => {
        const stored = select.get(requestId)
        if (stored === undefined) return undefined
        const now = Date.now()
        const row = inspected(stored, now)
        if (!isResolvable(row, decision)) return { row, was: undefined }
        const { state, clientId, by, why } = decision
        const resolved = resolve.get(requestId, state, clientId ?? null, randomUUID(), now, by, why)
        return { row: inspected(resolved, now), was: row.state }
      }),
    countResolved: async () => (countResolved.get() as { count: number }).count,
  }
}
