/**
 * The shared ledger that survives a failover: several replicas on one PostgreSQL. With `synchronous_commit = on` and a
 * synchronous standby no acknowledged claim is ever lost.
 */
import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { checkOwner } from './account.ts'
import type { Claim, ClaimResult, Ledger, LedgerStats, RecordResult, Row } from './ledger.ts'
import { newRow } from './new-row.ts'
import { openPostgresConnection, type Postgres } from './postgres-connection.ts'
import {
  groupChanges,
  groupClaims,
  type RowChange,
  type StoredChange,
  toChangeValues,
  toClaimValues,
  toRecordResult,
} from './postgres-groups.ts'
import { toIdentity } from './postgres-identity.ts'
import { inspectPostgres } from './postgres-inspection.ts'
import { checkPostgresOwner } from './postgres-owner.ts'
import { escapeText, type StoredRow, toRow } from './postgres-rows.ts'
import { steps } from './postgres-schema.ts'
import { forgottenAtOnce, type Statement, statements } from './postgres-statements.ts'
import { attentionAfterMs, graceMs } from './rules.ts'

export interface PostgresLedgerSettings {
  /** One host, or several: `postgres://user:password@host-1:5432,host-2:5432/database`. */
  readonly url: string
  readonly retentionMs: number
  readonly log: Logger
  /** True: the schema stays as it is. */
  readonly isGuest?: boolean
}

interface StoredStats {
  unresolved: number
  needs_attention: number
  oldest_ms: number
  due_ms: number
}

type Run = Postgres['run']

/** A conflicting row may be deleted before the row is read. After this many attempts the claim fails. */
const claimTries = 5

export function openPostgresLedger({ url, retentionMs, log, isGuest = false }: PostgresLedgerSettings): Ledger {
  // A guest has no steps to make.
  const { run, remember, close } = openPostgresConnection(url, log, isGuest ? [] : steps)
  const claim = groupClaims(run, (one) => claimRow(run, one))
  const record = groupChanges(run, (one) => recordChange(run, one))

  return {
    ...inspectPostgres(run),
    claim,
    async renew({ requestId, from, to, deadlineMs, mayHaveArrived }) {
      const values = [...[requestId, from, to].map(escapeText), deadlineMs, deadlineMs + graceMs, mayHaveArrived]
      const { rows } = await run<StoredRow>(statements.renew, values)
      return rows[0] && toRow(rows[0])
    },
    record: (requestId, claimToken, change) => record({ requestId, claimToken, change }),
    find: (requestId) => findRow(run, statements.find, requestId),
    findByKey: (keyId) => findRow(run, statements.findByKey, keyId),
    async takeDue(leaseMs, limit) {
      const { rows } = await run<StoredRow>(statements.takeDue, [leaseMs, limit])
      return rows.map(toRow)
    },
    async postpone({ requestId, claimToken, pauseMs, takenAsks, asks, doubts, isAcknowledged }) {
      const texts = [requestId, claimToken].map(escapeText)
      await run(statements.postpone, [...texts, pauseMs, asks, doubts, isAcknowledged, takenAsks])
    },
    async forgetOld() {
      for (const statement of [statements.forget, statements.forgetWithoutId]) {
        while ((await run(statement, [retentionMs])).rowCount === forgottenAtOnce);
      }
    },
    async stats() {
      const { rows } = await run<StoredStats>(statements.stats, [attentionAfterMs])
      return toStats(rows[0] as StoredStats)
    },
    async adopt(account) {
      const { rows } = await run<{ name: string; value: string }>(statements.adopt, [account, randomUUID()])
      const { account: owner, id = '' } = toIdentity(rows)
      checkOwner(owner, account)
      remember({ account, id })
    },
    checkOwner: (account) => checkPostgresOwner(run, account),
    async probe() {
      await run(statements.probe, [])
    },
    close,
  }
}

async function findRow(run: Run, statement: Statement, id: string): Promise<Row | undefined> {
  const { rows } = await run<StoredRow>(statement, [escapeText(id)])
  return rows[0] && toRow(rows[0])
}

async function claimRow(run: Run, claim: Claim): Promise<ClaimResult> {
  const { requestId, keyId } = claim
  for (let tries = 0; tries < claimTries; tries++) {
    const { rows } = await run<{ updated_ms: number }>(statements.claim, toClaimValues(claim))
    if (rows[0] !== undefined) return { isClaimed: true, row: newRow(claim, rows[0].updated_ms) }
    const ofKey = keyId === undefined ? undefined : await findRow(run, statements.findByKey, keyId)
    const row = ofKey ?? (await findRow(run, statements.find, requestId))
    if (row !== undefined) return { isClaimed: false, row }
  }
  throw new Error('the ledger neither takes the claim nor has its row')
}

async function recordChange(run: Run, change: RowChange): Promise<RecordResult | undefined> {
  const { rows } = await run<StoredChange>(statements.record, toChangeValues(change))
  if (rows[0] !== undefined) return toRecordResult(change, rows[0])
  const row = await findRow(run, statements.find, change.requestId)
  return row && { row, was: undefined }
}

function toStats({
  unresolved,
  needs_attention: needsAttention,
  oldest_ms: oldestMs,
  due_ms: dueMs,
}: StoredStats): LedgerStats {
  return { unresolved, oldestUnresolvedSeconds: oldestMs / 1000, needsAttention, oldestDueSeconds: dueMs / 1000 }
}
