/** The embedded ledger: a file that survives the death of its one process. */
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { groupCommits } from './group-commit.ts'
import {
  attentionAfterMs,
  type Change,
  type Claim,
  ForeignLedgerError,
  firstAskAfterMs,
  graceMs,
  isForward,
  type Ledger,
  type Recorded,
  type Row,
  type State,
} from './ledger.ts'
import { newRow } from './new-row.ts'
import { inspectSqlite } from './sqlite-inspection.ts'
import { migrate } from './sqlite-schema.ts'

export interface SqliteLedgerSettings {
  /** A file. */
  readonly path: string
  readonly retentionMs: number
}

/**
 * FULL: a claim is on the disk before anything is sent, so that not even a power cut forgets it. The lock of another process is
 * waited for by group-commit.ts, and not here, where the event loop would stand still.
 */
const pragmas = 'PRAGMA busy_timeout = 0; PRAGMA synchronous = FULL;'

/** Rows that one statement forgets, so that no write waits long for it. */
const forgottenAtOnce = 1000

interface StoredRow {
  request_id: string
  key_id: string | null
  caller: string
  fingerprint: string
  state: State
  client_id: string | null
  partner_code: string | null
  partner_description: string | null
  claim_token: string
  claims: number
  may_have_arrived: number
  is_acknowledged: number
  is_inferred: number
  doubts: number
  doubted_at: number | null
  asks: number
  updated_at: number
  deadline_at: number
  next_ask_at: number | null
}

export function openSqliteLedger({ path, retentionMs }: SqliteLedgerSettings): Ledger {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL')
  migrate(database)
  database.exec(pragmas)
  const statements = prepareStatements(database)
  const together = groupCommits(database, createFileGuard(path))
  const forgetBatches = [statements.forget, statements.forgetWithoutId]
  const selectRow = (requestId: string) => statements.select.get(requestId) as StoredRow | undefined

  return {
    ...inspectSqlite(database, together, toRow),
    claim: (claim) => together(() => insertOrFind(statements, claim)),
    renew: ({ requestId, from, to, deadlineMs, mayHaveArrived }) =>
      together(() => {
        const now = Date.now()
        const deadlineAt = Math.round(now + deadlineMs)
        const nextAskAt = deadlineAt + graceMs
        const renewed = statements.renew.get(requestId, from, to, now, deadlineAt, nextAskAt, Number(mayHaveArrived))
        return renewed && toRow(renewed, now)
      }),
    record: (requestId, claimToken, change) =>
      together(() => {
        const stored = selectRow(requestId)
        if (stored === undefined) return undefined
        const now = Date.now()
        const row = toRow(stored, now)
        if (!isForward(row, claimToken, change)) return { row, was: undefined }
        return { row: update(statements, requestId, change, now), was: row.state }
      }),
    async find(requestId) {
      const stored = selectRow(requestId)
      return stored && toRow(stored, Date.now())
    },
    async findByKey(keyId) {
      const stored = statements.selectByKey.get(keyId)
      return stored && toRow(stored, Date.now())
    },
    async takeDue(leaseMs, limit) {
      // Most of the time there is none, and a look is cheaper than a commit.
      if (statements.firstDue.get(Date.now()) === undefined) return []
      return together(() => {
        const now = Date.now()
        const take = (statement: typeof statements.takeFirst, rest: number) =>
          statement.all({ now, leasedUntil: now + leaseMs, limit: rest }).map((stored) => toRow(stored, now))
        const first = take(statements.takeFirst, limit)
        return first.length < limit ? [...first, ...take(statements.takeAgain, limit - first.length)] : first
      })
    },
    postpone: ({ requestId, claimToken, pauseMs, takenAsks, asks, doubts, isAcknowledged }) =>
      together(() => {
        const now = Date.now()
        // The column takes integers alone.
        const nextAskAt = pauseMs === undefined ? null : Math.round(now + pauseMs)
        statements.postpone.run(requestId, claimToken, nextAskAt, asks, doubts, now, Number(isAcknowledged), takenAsks)
      }),
    async forgetOld() {
      const before = Date.now() - retentionMs
      for (const statement of forgetBatches) {
        const forgetBatch = () => Number(statement.run(before).changes)
        while ((await together(forgetBatch)) === forgottenAtOnce);
      }
    },
    async stats() {
      const now = Date.now()
      const dueAt = statements.firstDue.get(now) as { next_ask_at: number } | undefined
      const oldest = statements.oldestUnresolved.get(now) as { deadline_at: number } | undefined
      const count = (before: number) => (statements.countUnresolved.get(before) as { count: number }).count
      return {
        unresolved: count(now),
        oldestUnresolvedSeconds: (now - (oldest?.deadline_at ?? now)) / 1000,
        needsAttention: count(now - attentionAfterMs),
        oldestDueSeconds: (now - (dueAt?.next_ask_at ?? now)) / 1000,
      }
    },
    async adopt(account) {
      const { value } = await together(() => statements.adopt.get(account) as { value: string })
      if (value !== account) throw new ForeignLedgerError()
    },
    async probe() {
      await together(() => statements.probe.run(String(Date.now())))
    },
    async close() {
      if (database.isOpen) database.close()
    },
  }
}

/** Names cost more than positions, and RETURNING more than a row made here: so the usual path has neither. */
function prepareStatements(database: DatabaseSync) {
  const dueRows = (isFirst: boolean) => `
    UPDATE request SET asks = asks + 1, next_ask_at = :leasedUntil
    WHERE request_id IN (SELECT request_id FROM request WHERE next_ask_at IS NOT NULL AND next_ask_at <= :now
      ${isFirst ? 'AND asks = 0' : ''} ORDER BY next_ask_at LIMIT :limit)
    RETURNING *`
  const settledBefore = (condition: string) => `
    DELETE FROM request WHERE request_id IN
      (SELECT request_id FROM request WHERE ${condition} AND updated_at < ? LIMIT ${forgottenAtOnce})`
  const isUnresolved = "state IN ('sent', 'unknown', 'processing')"
  return {
    insert: database.prepare(`
      INSERT INTO request (request_id, key_id, caller, fingerprint, state, claim_token, claims, asks, updated_at,
        deadline_at, next_ask_at)
      VALUES (?1, ?2, ?3, ?4, 'sent', ?5, 1, 0, ?6, ?7, ?8) ON CONFLICT DO NOTHING`),
    select: database.prepare('SELECT * FROM request WHERE request_id = ?'),
    selectByKey: database.prepare('SELECT * FROM request WHERE key_id = ?'),
    renew: database.prepare(`
      UPDATE request SET state = 'sent', claim_token = ?3, claims = claims + 1, client_id = NULL, partner_code = NULL,
        partner_description = NULL, may_have_arrived = max(may_have_arrived, ?7), is_inferred = 0, doubts = 0,
        doubted_at = NULL, asks = 0, updated_at = ?4, deadline_at = ?5, next_ask_at = ?6
      WHERE request_id = ?1 AND claim_token = ?2 AND state IN ('sent', 'unknown', 'not-created')
      RETURNING *`),
    update: database.prepare(`
      UPDATE request SET state = ?2, client_id = ?3, partner_code = ?4, partner_description = ?5, is_inferred = ?6,
        is_acknowledged = max(is_acknowledged, ?7), doubts = 0, doubted_at = NULL, asks = 0, updated_at = ?8,
        deadline_at = min(deadline_at, ?8), next_ask_at = ?9
      WHERE request_id = ?1`),
    postpone: database.prepare(`
      UPDATE request SET next_ask_at = ?3, asks = ?4, doubts = ?5,
        doubted_at = CASE WHEN ?5 = 0 THEN NULL ELSE coalesce(doubted_at, ?6) END,
        is_acknowledged = max(is_acknowledged, ?7)
      WHERE request_id = ?1 AND claim_token = ?2 AND asks = ?8 AND next_ask_at IS NOT NULL`),
    takeFirst: database.prepare(dueRows(true)),
    takeAgain: database.prepare(dueRows(false)),
    firstDue: database.prepare(`
      SELECT next_ask_at FROM request WHERE next_ask_at IS NOT NULL AND next_ask_at <= ? ORDER BY next_ask_at LIMIT 1`),
    // Two statements, as each has an index of its own.
    forget: database.prepare(settledBefore('next_ask_at IS NULL')),
    forgetWithoutId: database.prepare(settledBefore("next_ask_at IS NOT NULL AND state = 'created'")),
    countUnresolved: database.prepare(
      `SELECT count(*) AS count FROM request WHERE ${isUnresolved} AND deadline_at <= ?`,
    ),
    oldestUnresolved: database.prepare(`
      SELECT deadline_at FROM request WHERE ${isUnresolved} AND deadline_at <= ? ORDER BY deadline_at LIMIT 1`),
    adopt: database.prepare(`
      INSERT INTO fact VALUES ('account', ?) ON CONFLICT (name) DO UPDATE SET value = value RETURNING value`),
    probe: database.prepare(`
      INSERT INTO fact VALUES ('probed-at', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`),
  }
}

type Statements = ReturnType<typeof prepareStatements>

function insertOrFind(statements: Statements, claim: Claim) {
  const { requestId, keyId, caller, fingerprint, claimToken, deadlineMs } = claim
  const now = Date.now()
  const deadlineAt = Math.round(now + deadlineMs)
  const { changes } = statements.insert.run(
    requestId,
    keyId ?? null,
    caller,
    fingerprint,
    claimToken,
    now,
    deadlineAt,
    deadlineAt + graceMs,
  )
  if (changes === 1) return { isClaimed: true, row: newRow(claim, now) }
  const known = keyId === undefined ? undefined : statements.selectByKey.get(keyId)
  return { isClaimed: false, row: toRow(known ?? statements.select.get(requestId), now) }
}

function update(statements: Statements, requestId: string, change: Change, now: number): Recorded {
  const { state, clientId, partnerCode, partnerDescription, isInferred = false, isAcknowledged = false } = change
  const pauseMs = firstAskAfterMs(change)
  statements.update.run(
    requestId,
    state,
    clientId ?? null,
    partnerCode ?? null,
    partnerDescription ?? null,
    Number(isInferred),
    Number(isAcknowledged),
    now,
    pauseMs === undefined ? null : now + pauseMs,
  )
  return { requestId, state, clientId, partnerCode, partnerDescription, updatedAtMs: now }
}

/** Throws once the file is not the one that was opened: what is written to it then is seen by no later process. */
function createFileGuard(path: string): () => void {
  const opened = statSync(path).ino
  return () => {
    if (statSync(path, { throwIfNoEntry: false })?.ino !== opened) {
      throw new Error('the file of the ledger was deleted or replaced; restart the service')
    }
  }
}

function toRow(stored: unknown, now: number): Row {
  const row = stored as StoredRow
  return {
    requestId: row.request_id,
    keyId: row.key_id ?? undefined,
    caller: row.caller,
    fingerprint: row.fingerprint,
    state: row.state,
    clientId: row.client_id ?? undefined,
    partnerCode: row.partner_code ?? undefined,
    partnerDescription: row.partner_description ?? undefined,
    claimToken: row.claim_token,
    claims: row.claims,
    mayHaveArrived: row.may_have_arrived === 1,
    isAcknowledged: row.is_acknowledged === 1,
    isInferred: row.is_inferred === 1,
    doubts: row.doubts,
    doubtedForMs: now - (row.doubted_at ?? now),
    asks: row.asks,
    updatedAtMs: row.updated_at,
    sinceUpdateMs: now - row.updated_at,
    sinceLastSendMs: now - row.deadline_at,
  }
}
