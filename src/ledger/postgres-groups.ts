/** The claims of the same moment are one statement, and so are the changes. One commit and one round trip serve the group. */
import { groupCalls } from './group-calls.ts'
import type { Change, Claim, ClaimResult, RecordResult } from './ledger.ts'
import { newRow } from './new-row.ts'
import { callTimeoutMs, type Postgres } from './postgres-connection.ts'
import { isFaultOfRow } from './postgres-pool.ts'
import { escapeText } from './postgres-rows.ts'
import { statements } from './postgres-statements.ts'
import { firstAskAfterMs, graceMs, isOwnConclusion } from './rules.ts'
import { correctionsOfInferredRejection, predecessors, type Recordable, type State } from './states.ts'

type Run = Postgres['run']

/** A change of a row, learnt under a claim. */
export interface RowChange {
  readonly requestId: string
  readonly claimToken: string
  readonly change: Change
}

export interface StoredChange {
  was: State
  updated_ms: number
}

export function groupClaims(run: Run, callAlone: (claim: Claim) => Promise<ClaimResult>) {
  return groupCalls<Claim, ClaimResult>({
    idOf: ({ requestId }) => requestId,
    async callTogether(claims) {
      const values = toColumns(claims.toSorted(compareKeys).map(toClaimValues))
      const { rows } = await run<{ request_id: string; updated_ms: number }>(statements.claimGroup, values)
      const claimed = new Map(rows.map(({ request_id, updated_ms }) => [request_id, updated_ms]))
      return claims.map((claim) => {
        const updatedAtMs = claimed.get(escapeText(claim.requestId) as string)
        return updatedAtMs === undefined ? undefined : { isClaimed: true, row: newRow(claim, updatedAtMs) }
      })
    },
    callAlone,
    isFaultOfOne: isFaultOfRow,
    limitMs: callTimeoutMs,
  })
}

export function groupChanges(run: Run, callAlone: (change: RowChange) => Promise<RecordResult | undefined>) {
  return groupCalls<RowChange, RecordResult | undefined>({
    idOf: ({ requestId }) => requestId,
    async callTogether(changes) {
      const values = toColumns(changes.map(toChangeValues))
      const { rows } = await run<StoredChange & { request_id: string }>(statements.recordGroup, values)
      const recorded = new Map(rows.map((row) => [row.request_id, row]))
      return changes.map((change) => {
        const stored = recorded.get(escapeText(change.requestId) as string)
        return stored && toRecordResult(change, stored)
      })
    },
    callAlone,
    isFaultOfOne: isFaultOfRow,
    limitMs: callTimeoutMs,
  })
}

/** A claim waits for another transaction that claims the same key. In one order, no two groups wait for each other. */
function compareKeys({ keyId: a = '' }: Claim, { keyId: b = '' }: Claim): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

export function toClaimValues({ requestId, keyId, caller, fingerprint, claimToken, deadlineMs }: Claim): unknown[] {
  const texts = [requestId, keyId, caller, fingerprint, claimToken].map(escapeText)
  return [...texts, deadlineMs, deadlineMs + graceMs]
}

/** The statement repeats `isForward`. The parts that depend only on the change are computed here. */
export function toChangeValues({ requestId, claimToken, change }: RowChange): unknown[] {
  const { state, clientId, partnerCode, partnerDescription, isInferred = false, isAcknowledged = false } = change
  const corrections: readonly Recordable[] = correctionsOfInferredRejection
  return [
    ...[requestId, claimToken, state, clientId, partnerCode, partnerDescription].map(escapeText),
    isInferred,
    isAcknowledged,
    firstAskAfterMs(change),
    isOwnConclusion(change),
    predecessors[state].join(),
    state === 'created' && clientId !== undefined,
    !isInferred && corrections.includes(state),
    !isInferred && state === 'rejected',
  ]
}

export function toRecordResult({ requestId, change }: RowChange, stored: StoredChange): RecordResult {
  const { state, clientId, partnerCode, partnerDescription } = change
  const row = { requestId, state, clientId, partnerCode, partnerDescription, updatedAtMs: stored.updated_ms }
  return { row, was: stored.was }
}

/** One list for each parameter, from the values of each row. */
function toColumns(rows: readonly (readonly unknown[])[]): unknown[][] {
  const [first = []] = rows
  return first.map((_, column) => rows.map((row) => row[column]))
}
