/** The embedded ledger: a file that survives a crash of its one process. */
import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { checkOwner } from './account.ts'
import { groupCommits } from './group-commit.ts'
import type {
  Change,
  Claim,
  Ledger,
  LedgerStats,
  Postponement,
  Recorded,
  RecordResult,
  Renewal,
  Row,
} from './ledger.ts'
import { newRow } from './new-row.ts'
import { attentionAfterMs, firstAskAfterMs, graceMs, isForward } from './rules.ts'
import { inspectSqlite } from './sqlite-inspection.ts'
import { toRow } from './sqlite-rows.ts'
import { checkMigrated, migrate } from './sqlite-schema.ts'
import { forgottenAtOnce, prepareStatements, type Statements } from './sqlite-statements.ts'

export interface SqliteLedgerSettings {
  readonly path: string
  readonly retentionMs: number
  /** True: the schema stays as it is. */
  readonly isGuest?: boolean
}

/**
 * FULL: a claim is on the disk before the first send, so that a power cut does not lose the claim. busy_timeout is 0, because
 * SQLite's own wait would block the event loop; group-commit.ts waits for the lock of another process.
 */
const pragmas = 'PRAGMA busy_timeout = 0; PRAGMA synchronous = FULL;'

/** @throws UnusedLedgerError or OldLedgerError if a guest's schema is missing or too old */
export function openSqliteLedger({ path, retentionMs, isGuest = false }: SqliteLedgerSettings): Ledger {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA busy_timeout = 2000')
  if (isGuest) {
    checkMigrated(database)
  } else {
    database.exec('PRAGMA journal_mode = WAL')
    migrate(database)
  }
  database.exec(pragmas)
  const statements = prepareStatements(database)
  const together = groupCommits(database, createFileGuard(path))

  return {
    ...inspectSqlite(database, together, toRow),
    claim: (claim) => together(() => insertOrFind(statements, claim)),
    renew: (renewal) => together(() => renew(statements, renewal)),
    record: (requestId, claimToken, change) => together(() => record(statements, requestId, claimToken, change)),
    async find(requestId) {
      const stored = statements.select.get(requestId)
      return stored && toRow(stored, Date.now())
    },
    async findByKey(keyId) {
      const stored = statements.selectByKey.get(keyId)
      return stored && toRow(stored, Date.now())
    },
    async takeDue(leaseMs, limit) {
      // Usually no row is due, and a read is cheaper than a commit.
      if (statements.firstDue.get(Date.now()) === undefined) return []
      return together(() => takeDue(statements, leaseMs, limit))
    },
    postpone: (postponement) => together(() => postpone(statements, postponement)),
    async forgetOld() {
      const before = Date.now() - retentionMs
      for (const statement of [statements.forget, statements.forgetWithoutId]) {
        const forgetBatch = () => Number(statement.run(before).changes)
        while ((await together(forgetBatch)) === forgottenAtOnce);
      }
    },
    stats: async () => readStats(statements),
    async adopt(account) {
      const { value } = await together(() => statements.adopt.get(account) as { value: string })
      checkOwner(value, account)
    },
    async checkOwner(account) {
      checkOwner((statements.owner.get() as { value: string } | undefined)?.value, account)
    },
    async probe() {
      await together(() => statements.probe.run(String(Date.now())))
    },
    async close() {
      if (database.isOpen) database.close()
    },
  }
}

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

function renew(statements: Statements, { requestId, from, to, deadlineMs, mayHaveArrived }: Renewal): Row | undefined {
  const now = Date.now()
  const deadlineAt = Math.round(now + deadlineMs)
  const nextAskAt = deadlineAt + graceMs
  const renewed = statements.renew.get(requestId, from, to, now, deadlineAt, nextAskAt, Number(mayHaveArrived))
  return renewed && toRow(renewed, now)
}

function record(
  statements: Statements,
  requestId: string,
  claimToken: string,
  change: Change,
): RecordResult | undefined {
  const stored = statements.select.get(requestId)
  if (stored === undefined) return undefined
  const now = Date.now()
  const row = toRow(stored, now)
  if (!isForward(row, claimToken, change)) return { row, was: undefined }
  return { row: update(statements, requestId, change, now), was: row.state }
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

function takeDue(statements: Statements, leaseMs: number, limit: number): Row[] {
  const now = Date.now()
  const take = (statement: Statements['takeFirst'], rest: number) =>
    statement.all({ now, leasedUntil: now + leaseMs, limit: rest }).map((stored) => toRow(stored, now))
  const first = take(statements.takeFirst, limit)
  return first.length < limit ? [...first, ...take(statements.takeAgain, limit - first.length)] : first
}

function postpone(
  statements: Statements,
  { requestId, claimToken, pauseMs, takenAsks, asks, doubts, isAcknowledged }: Postponement,
): void {
  const now = Date.now()
  // The column accepts only integers.
  const nextAskAt = pauseMs === undefined ? null : Math.round(now + pauseMs)
  statements.postpone.run(requestId, claimToken, nextAskAt, asks, doubts, now, Number(isAcknowledged), takenAsks)
}

function readStats(statements: Statements): LedgerStats {
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
}

/** Throws if the file is no longer the opened file: no later process would see a write to the opened file. */
function createFileGuard(path: string): () => void {
  const opened = statSync(path).ino
  return () => {
    if (statSync(path, { throwIfNoEntry: false })?.ino !== opened) {
      throw new Error('the file of the ledger was deleted or replaced; restart the service')
    }
  }
}
