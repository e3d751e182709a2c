/**
 * The schema of a PostgreSQL ledger, as numbered steps. Steps only go forward. During a rollout the version before still writes
 * to the new schema. So a new column has a default, and a step drops nothing that the version before reads.
 *
 * `deadline_at` is the last moment at which the claim's holder may send, or may have sent. `next_ask_at` is null if no question
 * is left. Texts are compared byte by byte, so that a change of the locale cannot break an index.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type ClientBase, type ClientConfig, DatabaseError } from 'pg'
import type { Logger } from 'pino'
import { connectTimeoutMs } from './postgres-hosts.ts'

const unresolved = `state IN ('sent', 'unknown', 'processing')`

export const steps: readonly string[] = [
  `
CREATE TABLE ledger_request (
  request_id text COLLATE "C" PRIMARY KEY,
  key_id text COLLATE "C",
  caller text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  client_id text COLLATE "C",
  partner_code text COLLATE "C",
  partner_description text COLLATE "C",
  claim_token text COLLATE "C" NOT NULL,
  claims integer NOT NULL,
  may_have_arrived boolean NOT NULL DEFAULT false,
  is_acknowledged boolean NOT NULL DEFAULT false,
  is_inferred boolean NOT NULL DEFAULT false,
  doubts integer NOT NULL DEFAULT 0,
  doubted_at timestamptz,
  asks integer NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL,
  deadline_at timestamptz NOT NULL,
  next_ask_at timestamptz
);
CREATE UNIQUE INDEX ledger_request_by_key ON ledger_request (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX ledger_request_never_asked ON ledger_request (next_ask_at) WHERE next_ask_at IS NOT NULL AND asks = 0;
CREATE INDEX ledger_request_asked_before ON ledger_request (next_ask_at) WHERE next_ask_at IS NOT NULL AND asks <> 0;
CREATE INDEX ledger_request_settled ON ledger_request (updated_at) WHERE next_ask_at IS NULL;
CREATE INDEX ledger_request_without_id ON ledger_request (updated_at)
  WHERE next_ask_at IS NOT NULL AND state = 'created';
CREATE INDEX ledger_request_unresolved ON ledger_request (deadline_at) WHERE ${unresolved};
CREATE TABLE ledger_fact (name text COLLATE "C" PRIMARY KEY, value text COLLATE "C" NOT NULL);
`,
  // An operator's decision.
  `
ALTER TABLE ledger_request ADD COLUMN resolved_by text COLLATE "C", ADD COLUMN resolved_why text COLLATE "C",
  ADD COLUMN resolved_at timestamptz;
`,
]

/** Never change this number: together with the table's name it is the key of the lock in all versions. */
const lockKey = 7_431_902

/** True also for the schema of a later version. Then the service needs no right to change the schema. */
export async function isMigrated(client: ClientBase, toSteps = steps): Promise<boolean> {
  return (await readVersion(client)) >= toSteps.length
}

/**
 * How long a step waits for a lock. While the step waits, every call of the version before waits behind the step, so this limit is
 * shorter than the time limit of a call.
 */
const lockTimeoutMs = 500
/** The version before works without hindrance between two attempts. */
const pauseBetweenAttemptsMs = 2000
/** The server ends the transaction of a process that stands still, or whose machine is gone. Longer than the pause. */
const idleTimeoutMs = 5000

/**
 * Migrates a database of any earlier version. One process migrates; the other processes wait for the lock. A transaction of another
 * (a pg_dump for example) may hold the tables for long: then `onHeldUp` is called, and the steps are tried again.
 */
export async function migrate(
  client: ClientBase,
  toSteps = steps,
  onHeldUp: () => void = () => undefined,
): Promise<void> {
  await client.query('BEGIN')
  try {
    // A step over many rows takes longer than the time limit of a claim.
    await client.query(
      `SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = ${idleTimeoutMs}`,
    )
    await client.query(`SELECT pg_advisory_xact_lock(${lockKey}, hashtext('ledger_schema'))`)
    await client.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`)
    await client.query('SAVEPOINT before_steps')
    for (;;) {
      const isDone = await takeSteps(client, toSteps)
      if (isDone) break
      // Gives back the locks of the steps, but not the lock of the migration.
      await client.query('ROLLBACK TO SAVEPOINT before_steps')
      onHeldUp()
      await sleep(pauseBetweenAttemptsMs, undefined, { ref: false })
    }
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

/** False if another transaction holds what a step needs. */
async function takeSteps(client: ClientBase, toSteps: readonly string[]): Promise<boolean> {
  try {
    await client.query(
      'CREATE TABLE IF NOT EXISTS ledger_schema (step integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    )
    // Another process may have migrated while this process waited for the lock.
    const version = await readVersion(client)
    for (const [i, step] of toSteps.entries()) {
      if (i < version) continue
      await client.query(step)
      await client.query('INSERT INTO ledger_schema (step) VALUES ($1)', [i + 1])
    }
    return true
  } catch (error) {
    if (error instanceof DatabaseError && heldUp.test(error.code ?? '')) return false
    throw error
  }
}

/** lock_not_available, deadlock_detected. */
const heldUp = /^(55P03|40P01)$/

async function readVersion(client: ClientBase): Promise<number> {
  const { rows: tables } = await client.query(`SELECT to_regclass('ledger_schema') IS NOT NULL AS is_there`)
  if (!tables[0].is_there) return 0
  const { rows } = await client.query('SELECT coalesce(max(step), 0) AS version FROM ledger_schema')
  return rows[0].version
}

/** The time limit of a schema migration. */
const migrationTimeoutMs = 600_000

/** Opens a connection of its own, which may wait longer than the calls of the service. */
export async function migrateAt(config: ClientConfig, toSteps: readonly string[], log: Logger): Promise<void> {
  let isTold = false
  function tellHeldUp(): void {
    if (!isTold)
      log.warn(
        'the schema of the ledger waits for a transaction that reads its tables for long, such as a pg_dump; this process is not ready until the transaction ends',
      )
    isTold = true
  }

  const client = new Client({
    ...config,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: migrationTimeoutMs,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await migrate(client, toSteps, tellHeldUp)
  } finally {
    void client.end().catch(() => undefined)
  }
}
