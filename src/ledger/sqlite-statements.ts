/** One prepared SQLite statement for each step. */
import type { DatabaseSync } from 'node:sqlite'

/** The number of rows that one statement deletes. Small, so that no write waits long. */
export const forgottenAtOnce = 1000

/** The usual path binds by position and does without RETURNING: names and RETURNING both cost more time. */
export function prepareStatements(database: DatabaseSync) {
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
    // Two statements, because each uses its own index.
    forget: database.prepare(settledBefore('next_ask_at IS NULL')),
    forgetWithoutId: database.prepare(settledBefore("next_ask_at IS NOT NULL AND state = 'created'")),
    countUnresolved: database.prepare(
      `SELECT count(*) AS count FROM request WHERE ${isUnresolved} AND deadline_at <= ?`,
    ),
    oldestUnresolved: database.prepare(`
      SELECT deadline_at FROM request WHERE ${isUnresolved} AND deadline_at <= ? ORDER BY deadline_at LIMIT 1`),
    adopt: database.prepare(`
      INSERT INTO fact VALUES ('account', ?) ON CONFLICT (name) DO UPDATE SET value = value RETURNING value`),
    owner: database.prepare("SELECT value FROM fact WHERE name = 'account'"),
    probe: database.prepare(`
      INSERT INTO fact VALUES ('probed-at', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`),
  }
}

export type Statements = ReturnType<typeof prepareStatements>
