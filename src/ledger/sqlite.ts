/** The embedded ledger: one process, in memory or in a file that survives its death. */
import { DatabaseSync } from 'node:sqlite'
import {
  type Change,
  type Claim,
  firstAskMs,
  graceMs,
  isOwnConclusion,
  isSettled,
  type Ledger,
  predecessors,
  type Recordable,
  type Row,
  type State,
} from './ledger.ts'

export interface SqliteLedgerSettings {
  /** A file, or `:memory:`. */
  readonly path: string
  readonly retentionMs: number
}

/**
 * next_ask_at is null where there is nothing to ask. deadline_at is when whoever claimed the row stops, or stopped, working
 * on it. All times are milliseconds since the epoch.
 */
const schema = `
CREATE TABLE IF NOT EXISTS request (
  request_id TEXT PRIMARY KEY,
  caller TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  state TEXT NOT NULL,
  client_id TEXT,
  partner_code TEXT,
  partner_description TEXT,
  claims INTEGER NOT NULL,
  asks INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deadline_at INTEGER NOT NULL,
  next_ask_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS request_to_ask ON request (next_ask_at) WHERE next_ask_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS request_by_age ON request (updated_at) WHERE next_ask_at IS NULL;
`

/**
 * WAL with NORMAL loses nothing when the process dies. When the machine dies it may lose the last rows, which is still safe:
 * the same key gives the same request_id, which the partner takes only once.
 */
const pragmas = 'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000;'

interface StoredRow {
  request_id: string
  caller: string
  fingerprint: string
  state: State
  client_id: string | null
  partner_code: string | null
  partner_description: string | null
  claims: number
  asks: number
  updated_at: number
  deadline_at: number
}

export function openSqliteLedger({ path, retentionMs }: SqliteLedgerSettings): Ledger {
  const database = new DatabaseSync(path)
  database.exec(pragmas)
  database.exec(schema)

  // The usual path binds by position and returns nothing: names and RETURNING would cost twice the CPU.
  const insert = database.prepare(`
    INSERT INTO request (request_id, caller, fingerprint, state, claims, asks, updated_at, deadline_at, next_ask_at)
    VALUES (?1, ?2, ?3, 'sent', 1, 0, ?4, ?5, ?6) ON CONFLICT DO NOTHING`)
  const reclaim = database.prepare(`
    UPDATE request SET state = 'sent', claims = claims + 1, asks = 0, client_id = NULL, partner_code = NULL,
      partner_description = NULL, updated_at = ?3, deadline_at = ?4, next_ask_at = ?5
    WHERE request_id = ?1 AND fingerprint = ?2 AND state = 'not-created'
    RETURNING *`)
  const select = database.prepare('SELECT * FROM request WHERE request_id = ?')
  const updates = Object.fromEntries(
    Object.entries(predecessors).map(([state, from]) => [state, database.prepare(toUpdate(state as Recordable, from))]),
  ) as Record<Recordable, ReturnType<typeof database.prepare>>
  const take = database.prepare(`
    UPDATE request SET asks = asks + 1, next_ask_at = :leasedUntil
    WHERE request_id = (SELECT request_id FROM request WHERE next_ask_at <= :now ORDER BY next_ask_at LIMIT 1)
    RETURNING *`)
  const delay = database.prepare(`
    UPDATE request SET next_ask_at = :nextAskAt
    WHERE request_id = :requestId AND claims = :claims AND next_ask_at IS NOT NULL`)
  // Two statements, as each has an index of its own.
  const forget = database.prepare('DELETE FROM request WHERE next_ask_at IS NULL AND updated_at < ?')
  const forgetWithoutId = database.prepare(`
    DELETE FROM request WHERE next_ask_at IS NOT NULL AND state = 'created' AND updated_at < ?`)
  const count = database.prepare(`
    SELECT count(*) AS count, min(deadline_at) AS oldest FROM request
    WHERE next_ask_at IS NOT NULL AND deadline_at <= ? AND state IN ('sent', 'unknown', 'processing')`)

  const together = groupCommits(database)

  return {
    claim: ({ requestId, caller, fingerprint, deadlineMs }: Claim) =>
      together(() => {
        const now = Date.now()
        const deadlineAt = now + deadlineMs
        const nextAskAt = deadlineAt + graceMs
        const { changes } = insert.run(requestId, caller, fingerprint, now, deadlineAt, nextAskAt)
        if (changes === 1) return { isClaimed: true, row: newRow(requestId, caller, fingerprint, now) }
        const reclaimed = reclaim.get(requestId, fingerprint, now, deadlineAt, nextAskAt)
        return { isClaimed: reclaimed !== undefined, row: toRow(reclaimed ?? select.get(requestId), now) }
      }),
    record: (requestId, claims, change: Change) =>
      together(() => {
        const now = Date.now()
        const { state, clientId, partnerCode, partnerDescription } = change
        const nextAskAt = isSettled({ state, clientId }) ? null : now + firstAskMs
        const { changes } = updates[state].run(
          requestId,
          isOwnConclusion(state) ? claims : null,
          clientId ?? null,
          partnerCode ?? null,
          partnerDescription ?? null,
          now,
          nextAskAt,
        )
        if (changes === 1) return { requestId, state, clientId, partnerCode, partnerDescription, updatedAtMs: now }
        const stored = select.get(requestId)
        return stored && toRow(stored, now)
      }),
    async find(requestId) {
      const stored = select.get(requestId)
      return stored && toRow(stored, Date.now())
    },
    async takeDue(leaseMs) {
      const now = Date.now()
      const stored = take.get({ now, leasedUntil: now + leaseMs })
      return stored && toRow(stored, now)
    },
    async postpone(requestId, claims, pauseMs) {
      delay.run({ requestId, claims, nextAskAt: Date.now() + pauseMs })
    },
    async forgetOld() {
      const before = Date.now() - retentionMs
      forget.run(before)
      forgetWithoutId.run(before)
    },
    async unresolved() {
      const now = Date.now()
      const stats = count.get(now) as { count: number; oldest: number | null }
      return { count: stats.count, oldestSeconds: stats.oldest === null ? 0 : (now - stats.oldest) / 1000 }
    },
    async ping() {
      // Takes the lock that every claim needs.
      database.exec('BEGIN IMMEDIATE; ROLLBACK')
    },
    async close() {
      if (database.isOpen) database.close()
    },
  }
}

type Together = <T>(work: () => T) => Promise<T>

/**
 * What is written in one turn of the event loop is committed together: a commit costs several times what it commits. Nobody is told
 * of anything before it is committed.
 */
function groupCommits(database: DatabaseSync): Together {
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const rollback = database.prepare('ROLLBACK')
  let waiting: { work: () => unknown; resolve: (result: never) => void; reject: (error: unknown) => void }[] = []

  function commitWaiting(): void {
    const group = waiting
    waiting = []
    try {
      begin.run()
      const results = group.map(({ work }) => work())
      commit.run()
      group.forEach(({ resolve }, i) => {
        resolve(results[i] as never)
      })
    } catch (error) {
      if (database.isOpen && database.isTransaction) rollback.run()
      for (const { reject } of group) reject(error)
    }
  }

  return (work) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ work, resolve, reject }) === 1) setImmediate(commitWaiting)
    })
}

/** A created client may still get its id; everything else is decided by the table of predecessors. */
function toUpdate(state: Recordable, from: readonly State[]): string {
  const isForward = `state IN (${from.map((name) => `'${name}'`).join(', ')})`
  const isIdLearnt = state === 'created' ? "OR (state = 'created' AND client_id IS NULL AND ?3 IS NOT NULL)" : ''
  return `
    UPDATE request SET state = '${state}', client_id = ?3, partner_code = ?4, partner_description = ?5, updated_at = ?6,
      deadline_at = min(deadline_at, ?6), next_ask_at = ?7
    WHERE request_id = ?1 AND (?2 IS NULL OR claims = ?2) AND (${isForward} ${isIdLearnt})`
}

function newRow(requestId: string, caller: string, fingerprint: string, now: number): Row {
  return {
    requestId,
    caller,
    fingerprint,
    state: 'sent',
    clientId: undefined,
    partnerCode: undefined,
    partnerDescription: undefined,
    claims: 1,
    asks: 0,
    updatedAtMs: now,
    isOverdue: false,
  }
}

function toRow(stored: unknown, now: number): Row {
  const row = stored as StoredRow
  return {
    requestId: row.request_id,
    caller: row.caller,
    fingerprint: row.fingerprint,
    state: row.state,
    clientId: row.client_id ?? undefined,
    partnerCode: row.partner_code ?? undefined,
    partnerDescription: row.partner_description ?? undefined,
    claims: row.claims,
    asks: row.asks,
    updatedAtMs: row.updated_at,
    isOverdue: row.deadline_at <= now,
  }
}
