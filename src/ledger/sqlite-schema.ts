/**
 * The schema of a SQLite ledger, as numbered steps. Steps only go forward, and the version before can still use the new schema.
 * All times are milliseconds since the epoch. `deadline_at` is the last moment at which the claim's holder may send, or may have
 * sent. `next_ask_at` is null if no question is left.
 */
import type { DatabaseSync } from 'node:sqlite'
import { OldLedgerError, UnusedLedgerError } from './ledger.ts'

const steps = [
  `
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
`,
  // In rows of earlier versions request_id is the hash of the key, and the code "duplicate" marks an acknowledgement of
  // FreedomPay.
  `
ALTER TABLE request ADD COLUMN key_id TEXT;
ALTER TABLE request ADD COLUMN claim_token TEXT NOT NULL DEFAULT '';
ALTER TABLE request ADD COLUMN may_have_arrived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request ADD COLUMN is_acknowledged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request ADD COLUMN is_inferred INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request ADD COLUMN doubts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request ADD COLUMN doubted_at INTEGER;
UPDATE request SET key_id = request_id WHERE fingerprint <> '';
UPDATE request SET is_acknowledged = 1, partner_code = NULL WHERE state = 'unknown' AND partner_code = 'duplicate';
UPDATE request SET may_have_arrived = 1 WHERE claims > 1 OR state = 'not-created';
CREATE UNIQUE INDEX request_by_key ON request (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX request_never_asked ON request (next_ask_at) WHERE next_ask_at IS NOT NULL AND asks = 0;
CREATE INDEX request_unresolved ON request (deadline_at) WHERE state IN ('sent', 'unknown', 'processing');
CREATE INDEX request_without_id ON request (updated_at) WHERE state = 'created' AND next_ask_at IS NOT NULL;
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
`,
  // An operator's decision.
  `
ALTER TABLE request ADD COLUMN resolved_by TEXT;
ALTER TABLE request ADD COLUMN resolved_why TEXT;
ALTER TABLE request ADD COLUMN resolved_at INTEGER;
`,
] as const

/** Migrates a database of any earlier version. */
export function migrate(database: DatabaseSync): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    const version = readVersion(database)
    for (const step of steps.slice(version)) database.exec(step)
    if (version < steps.length) database.exec(`PRAGMA user_version = ${steps.length}`)
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

/** Accepts the schema of a later version, too. @throws UnusedLedgerError, OldLedgerError */
export function checkMigrated(database: DatabaseSync): void {
  const version = readVersion(database)
  if (version === 0) throw new UnusedLedgerError()
  if (version < steps.length) throw new OldLedgerError()
}

function readVersion(database: DatabaseSync): number {
  const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number }
  return version
}
