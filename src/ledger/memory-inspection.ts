/** The operator's view of the ledger in memory. */
import { randomUUID } from 'node:crypto'
import { type Decision, type InspectableLedger, type InspectedRow, isResolvable, matches } from './inspection.ts'
import { type MemoryRows, now, type StoredRow, toRow } from './memory-rows.ts'

export function inspectMemory(rows: MemoryRows): InspectableLedger {
  return {
    async *list(filter) {
      for (const row of rows.values()) if (matches(toRow(row), filter)) yield inspected(row)
    },
    async inspect(requestId) {
      const row = rows.get(requestId)
      return row && inspected(row)
    },
    async resolve(requestId, decision) {
      const row = rows.get(requestId)
      if (row === undefined) return undefined
      if (!isResolvable(toRow(row), decision)) return { row: inspected(row), was: undefined }
      const resolved = decide(row, decision)
      rows.store(resolved)
      return { row: inspected(resolved), was: row.state }
    },
    async countResolved() {
      let count = 0
      for (const { resolution } of rows.values()) if (resolution !== undefined) count += 1
      return count
    },
  }
}

function decide(row: StoredRow, { state, clientId, by, why }: Decision): StoredRow {
  const at = now()
  return {
    ...row,
    state,
    clientId,
    partnerCode: state === 'rejected' ? row.partnerCode : undefined,
    partnerDescription: state === 'rejected' ? row.partnerDescription : undefined,
    claimToken: randomUUID(),
    isInferred: true,
    doubts: 0,
    doubtedAt: 0,
    asks: 0,
    updatedAtMs: Math.floor(at),
    lastSendAt: Math.min(row.lastSendAt, at),
    nextAskAt: Infinity,
    resolution: { by, why, atMs: Math.floor(at) },
  }
}

function inspected(row: StoredRow): InspectedRow {
  return {
    ...toRow(row),
    nextAskInMs: row.nextAskAt === Infinity ? undefined : row.nextAskAt - now(),
    resolution: row.resolution,
  }
}
