/**
 * The shared ledger that survives a failover: several replicas on one PostgreSQL. With `synchronous_commit = on` and a
 * synchronous standby no acknowledged claim is ever forgotten.
 */
import type { Logger } from 'pino'
import {
  attentionAfterMs,
  type Change,
  type Claim,
  type ClaimResult,
  correctionsOfInferredRejection,
  ForeignLedgerError,
  firstAskAfterMs,
  graceMs,
  isOwnConclusion,
  type Ledger,
  predecessors,
  type Recordable,
  type RecordResult,
  type Row,
  type State,
} from './ledger.ts'
import { openPostgresConnection } from './postgres-connection.ts'
import { inspectPostgres } from './postgres-inspection.ts'
import { forgottenAtOnce, statements } from './postgres-statements.ts'

export interface PostgresLedgerSettings {
  /** With one host, or with several that are tried: `postgres://user:password@host-1:5432,host-2:5432/database`. */
  readonly url: string
  readonly retentionMs: number
  readonly log: Logger
}

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
  may_have_arrived: boolean
  is_acknowledged: boolean
  is_inferred: boolean
  doubts: number
  asks: number
  updated_ms: number
  since_update_ms: number
  since_last_send_ms: number
  doubted_for_ms: number
}

interface StoredChange {
  was: State
  updated_ms: number
}

interface StoredStats {
  unresolved: number
  needs_attention: number
  oldest_ms: number
  due_ms: number
}

/** A row that was there may be forgotten before it is read; that this happens over and over is a fault. */
const claimTries = 5

export function openPostgresLedger({ url, retentionMs, log }: PostgresLedgerSettings): Ledger {
  const { run, close } = openPostgresConnection(url, log)

  async function find(requestId: string): Promise<Row | undefined> {
    const { rows } = await run<StoredRow>(statements.find, [escapeText(requestId)])
    return rows[0] && toRow(rows[0])
  }

  async function findByKey(keyId: string): Promise<Row | undefined> {
    const { rows } = await run<StoredRow>(statements.findByKey, [escapeText(keyId)])
    return rows[0] && toRow(rows[0])
  }

  async function claim(claim: Claim): Promise<ClaimResult> {
    const { requestId, keyId, caller, fingerprint, claimToken, deadlineMs } = claim
    const texts = [requestId, keyId, caller, fingerprint, claimToken].map(escapeText)
    for (let tries = 0; tries < claimTries; tries++) {
      const { rows } = await run<{ updated_ms: number }>(statements.claim, [...texts, deadlineMs, deadlineMs + graceMs])
      if (rows[0] !== undefined) return { isClaimed: true, row: newRow(claim, rows[0].updated_ms) }
      const row = (keyId === undefined ? undefined : await findByKey(keyId)) ?? (await find(requestId))
      if (row !== undefined) return { isClaimed: false, row }
    }
    throw new Error('the ledger neither takes the claim nor has its row')
  }

  async function record(requestId: string, token: string, change: Change): Promise<RecordResult | undefined> {
    const { rows } = await run<StoredChange>(statements.record, recordValues(requestId, token, change))
    if (rows[0] === undefined) {
      const row = await find(requestId)
      return row && { row, was: undefined }
    }
    const { was, updated_ms: updatedAtMs } = rows[0]
    const { state, clientId, partnerCode, partnerDescription } = change
    return { row: { requestId, state, clientId, partnerCode, partnerDescription, updatedAtMs }, was }
  }

  return {
    ...inspectPostgres<StoredRow>({ run, toRow, escapeText, unescapeText }),
    claim,
    async renew({ requestId, from, to, deadlineMs, mayHaveArrived }) {
      const values = [...[requestId, from, to].map(escapeText), deadlineMs, deadlineMs + graceMs, mayHaveArrived]
      const { rows } = await run<StoredRow>(statements.renew, values)
      return rows[0] && toRow(rows[0])
    },
    record,
    find,
    findByKey,
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
      const [{ unresolved, needs_attention: needsAttention, oldest_ms: oldestMs, due_ms: dueMs }] = rows as [
        StoredStats,
      ]
      return {
        unresolved,
        oldestUnresolvedSeconds: oldestMs / 1000,
        needsAttention,
        oldestDueSeconds: dueMs / 1000,
      }
    },
    async adopt(account) {
      const { rows } = await run<{ value: string }>(statements.adopt, [account])
      if (rows[0]?.value !== account) throw new ForeignLedgerError()
    },
    async probe() {
      await run(statements.probe, [])
    },
    close,
  }
}

/** The statement holds the rule of `isForward`; what of it depends on the change alone is worked out here. */
function recordValues(requestId: string, token: string, change: Change): unknown[] {
  const { state, clientId, partnerCode, partnerDescription, isInferred = false, isAcknowledged = false } = change
  const corrections: readonly Recordable[] = correctionsOfInferredRejection
  return [
    ...[requestId, token, state, clientId, partnerCode, partnerDescription].map(escapeText),
    isInferred,
    isAcknowledged,
    firstAskAfterMs(change),
    isOwnConclusion(change),
    predecessors[state],
    state === 'created' && clientId !== undefined,
    !isInferred && corrections.includes(state),
    !isInferred && state === 'rejected',
  ]
}

/** PostgreSQL's texts take every character but NUL. So NUL becomes `\0`, and a backslash becomes two. */
function escapeText(text: string | undefined): string | null {
  if (text === undefined) return null
  if (!text.includes('\\') && !text.includes('\0')) return text
  return text.replaceAll('\\', '\\\\').replaceAll('\0', '\\0')
}

function unescapeText(text: string): string {
  return text.includes('\\') ? text.replaceAll(/\\(.)/g, (_, escaped) => (escaped === '0' ? '\0' : escaped)) : text
}

function newRow({ requestId, keyId, caller, fingerprint, claimToken, deadlineMs }: Claim, updatedAtMs: number): Row {
  return {
    requestId,
    keyId,
    caller,
    fingerprint,
    state: 'sent',
    clientId: undefined,
    partnerCode: undefined,
    partnerDescription: undefined,
    claimToken,
    claims: 1,
    mayHaveArrived: false,
    isAcknowledged: false,
    isInferred: false,
    doubts: 0,
    doubtedForMs: 0,
    asks: 0,
    updatedAtMs,
    sinceUpdateMs: 0,
    sinceLastSendMs: -deadlineMs,
  }
}

function toRow(row: StoredRow): Row {
  const optional = (text: string | null) => (text === null ? undefined : unescapeText(text))
  return {
    requestId: unescapeText(row.request_id),
    keyId: optional(row.key_id),
    caller: unescapeText(row.caller),
    fingerprint: unescapeText(row.fingerprint),
    state: row.state,
    clientId: optional(row.client_id),
    partnerCode: optional(row.partner_code),
    partnerDescription: optional(row.partner_description),
    claimToken: unescapeText(row.claim_token),
    claims: row.claims,
    mayHaveArrived: row.may_have_arrived,
    isAcknowledged: row.is_acknowledged,
    isInferred: row.is_inferred,
    doubts: row.doubts,
    doubtedForMs: row.doubted_for_ms,
    asks: row.asks,
    updatedAtMs: row.updated_ms,
    sinceUpdateMs: row.since_update_ms,
    sinceLastSendMs: row.since_last_send_ms,
  }
}
