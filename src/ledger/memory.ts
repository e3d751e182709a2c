/** The ledger in memory: its rows are lost when the process ends. */
import { checkOwner } from './account.ts'
import type { Change, Claim, Ledger, Postponement, Renewal, Row } from './ledger.ts'
import { inspectMemory } from './memory-inspection.ts'
import { MemoryRows, now, type StoredRow, toRow } from './memory-rows.ts'
import { newRow } from './new-row.ts'
import { firstAskAfterMs, graceMs, isForward } from './rules.ts'

export interface MemoryLedgerSettings {
  readonly retentionMs: number
}

export function openMemoryLedger({ retentionMs }: MemoryLedgerSettings): Ledger {
  const rows = new MemoryRows()
  let owner: string | undefined

  return {
    ...inspectMemory(rows),
    async claim(claim) {
      const { requestId, keyId } = claim
      const known = (keyId === undefined ? undefined : rows.getByKey(keyId)) ?? rows.get(requestId)
      if (known !== undefined) return { isClaimed: false, row: toRow(known) }
      const row = claimedBy(claim)
      rows.store(row)
      return { isClaimed: true, row: toRow(row) }
    },
    async renew(renewal) {
      const row = rows.get(renewal.requestId)
      if (row === undefined || !isRenewable(row, renewal)) return undefined
      const renewed = renewedBy(row, renewal)
      rows.store(renewed)
      return toRow(renewed)
    },
    async record(requestId, claimToken, change) {
      const row = rows.get(requestId)
      if (row === undefined) return undefined
      if (!isForward(row, claimToken, change)) return { row, was: undefined }
      const changed = changedBy(row, change)
      rows.store(changed)
      return { row: changed, was: row.state }
    },
    find: async (requestId) => toRowIfAny(rows.get(requestId)),
    findByKey: async (keyId) => toRowIfAny(rows.getByKey(keyId)),
    takeDue: async (leaseMs, limit) => rows.takeDue(leaseMs, limit).map(toRow),
    async postpone(postponement) {
      const row = rows.get(postponement.requestId)
      if (row?.claimToken !== postponement.claimToken || row.asks !== postponement.takenAsks) return
      if (row.nextAskAt !== Infinity) rows.store(postponedBy(row, postponement))
    },
    async forgetOld() {
      rows.forgetBefore(now() - retentionMs)
    },
    stats: async () => rows.count(),
    async adopt(account) {
      owner ??= account
      checkOwner(owner, account)
    },
    async checkOwner(account) {
      checkOwner(owner, account)
    },
    async probe() {},
    async close() {},
  }
}

function toRowIfAny(row: StoredRow | undefined): Row | undefined {
  return row && toRow(row)
}

function claimedBy(claim: Claim): StoredRow {
  const at = now()
  const { doubtedAt, lastSendAt, nextAskAt } = claimedAt(at, claim.deadlineMs)
  return { ...newRow(claim, Math.floor(at)), doubtedAt, lastSendAt, nextAskAt, resolution: undefined }
}

/** The times of a row that has just been claimed. */
function claimedAt(at: number, deadlineMs: number) {
  return { doubtedAt: 0, lastSendAt: at + deadlineMs, nextAskAt: at + deadlineMs + graceMs }
}

function isRenewable({ state, claimToken }: StoredRow, { from }: Renewal): boolean {
  return claimToken === from && (state === 'sent' || state === 'unknown' || state === 'not-created')
}

function renewedBy(row: StoredRow, { to, deadlineMs, mayHaveArrived }: Renewal): StoredRow {
  const at = now()
  return {
    ...row,
    state: 'sent',
    clientId: undefined,
    partnerCode: undefined,
    partnerDescription: undefined,
    claimToken: to,
    claims: row.claims + 1,
    mayHaveArrived: row.mayHaveArrived || mayHaveArrived,
    isInferred: false,
    doubts: 0,
    asks: 0,
    updatedAtMs: Math.floor(at),
    ...claimedAt(at, deadlineMs),
  }
}

function changedBy(row: StoredRow, change: Change): StoredRow {
  const { state, clientId, partnerCode, partnerDescription, isInferred = false, isAcknowledged = false } = change
  const at = now()
  return {
    ...row,
    state,
    clientId,
    partnerCode,
    partnerDescription,
    isInferred,
    isAcknowledged: row.isAcknowledged || isAcknowledged,
    doubts: 0,
    doubtedAt: 0,
    asks: 0,
    updatedAtMs: Math.floor(at),
    lastSendAt: Math.min(row.lastSendAt, at),
    nextAskAt: at + (firstAskAfterMs(change) ?? Infinity),
  }
}

function postponedBy(row: StoredRow, { pauseMs, asks, doubts, isAcknowledged }: Postponement): StoredRow {
  const at = now()
  return {
    ...row,
    asks,
    doubts,
    doubtedAt: row.doubts > 0 ? row.doubtedAt : at,
    isAcknowledged: row.isAcknowledged || isAcknowledged,
    nextAskAt: pauseMs === undefined ? Infinity : at + pauseMs,
  }
}
