/** The ledger of a process that needs none beyond its own life. */
import { randomUUID } from 'node:crypto'
import { DueQueue } from './due-queue.ts'
import { type InspectableLedger, type InspectedRow, isResolvable, matches, type Resolution } from './inspection.ts'
import {
  type Change,
  type Claim,
  ForeignLedgerError,
  firstAskAfterMs,
  graceMs,
  isFinal,
  isForward,
  type Ledger,
  type Row,
} from './ledger.ts'
import { OpenRows } from './open-rows.ts'

/** Replaced, never changed, so that it can be handed out as it is. Times are milliseconds of `now`. */
interface StoredRow extends Omit<Row, 'doubtedForMs' | 'sinceLastSendMs' | 'sinceUpdateMs'> {
  readonly lastSendAt: number
  readonly doubtedAt: number
  /** Infinity where there is nothing to ask. */
  readonly nextAskAt: number
  readonly resolution: Resolution | undefined
}

export interface MemoryLedgerSettings {
  readonly retentionMs: number
}

/** Milliseconds since the epoch, by the clock that nobody can set while the process runs. */
function now(): number {
  return performance.timeOrigin + performance.now()
}

export function openMemoryLedger({ retentionMs }: MemoryLedgerSettings): Ledger {
  const rows = new Map<string, StoredRow>()
  const requestIds = new Map<string, string>()
  /** Ids that are settled, in the order in which they settled. */
  const settled = new Set<string>()
  const openRows = new OpenRows((id, lastSendAt) => {
    const row = rows.get(id)
    return row !== undefined && !isFinal(row.state) && row.lastSendAt === lastSendAt
  })
  const isDue = (id: string, at: number) => rows.get(id)?.nextAskAt === at
  const neverAsked = new DueQueue(isDue)
  const askedBefore = new DueQueue(isDue)
  let owner: string | undefined

  function store(row: StoredRow): void {
    const { requestId, keyId, state, asks, nextAskAt, lastSendAt } = row
    const known = rows.get(requestId)
    rows.set(requestId, row)
    if (keyId !== undefined) requestIds.set(keyId, requestId)
    settled.delete(requestId)
    if (nextAskAt === Infinity) settled.add(requestId)
    else if (known?.nextAskAt !== nextAskAt) (asks === 0 ? neverAsked : askedBefore).add(requestId, nextAskAt)

    if (isFinal(state)) openRows.delete(requestId)
    else if (known === undefined || isFinal(known.state) || known.lastSendAt !== lastSendAt) {
      openRows.add(requestId, lastSendAt)
    }
  }

  function forget({ requestId, keyId }: StoredRow): void {
    rows.delete(requestId)
    if (keyId !== undefined) requestIds.delete(keyId)
    settled.delete(requestId)
    openRows.delete(requestId)
  }

  function change(row: StoredRow, learnt: Change): StoredRow {
    const { state, clientId, partnerCode, partnerDescription, isInferred = false, isAcknowledged = false } = learnt
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
      nextAskAt: at + (firstAskAfterMs(learnt) ?? Infinity),
    }
  }

  function takeFrom(queue: DueQueue, leaseMs: number): Row | undefined {
    const at = now()
    const next = queue.take(at)
    if (next === undefined) return undefined
    const row = rows.get(next.id) as StoredRow
    const taken = { ...row, asks: row.asks + 1, nextAskAt: at + leaseMs }
    store(taken)
    return seen(taken)
  }

  return {
    ...inspectMemory(rows, store),
    async claim({ requestId, keyId, caller, fingerprint, claimToken, deadlineMs }: Claim) {
      const known = rows.get(keyId === undefined ? requestId : (requestIds.get(keyId) ?? requestId))
      if (known !== undefined) return { isClaimed: false, row: seen(known) }
      const at = now()
      const row: StoredRow = {
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
        doubtedAt: 0,
        asks: 0,
        updatedAtMs: Math.floor(at),
        lastSendAt: at + deadlineMs,
        nextAskAt: at + deadlineMs + graceMs,
        resolution: undefined,
      }
      store(row)
      return { isClaimed: true, row: seen(row) }
    },
    async renew({ requestId, from, to, deadlineMs, mayHaveArrived }) {
      const row = rows.get(requestId)
      if (row === undefined || row.claimToken !== from) return undefined
      if (row.state !== 'sent' && row.state !== 'unknown' && row.state !== 'not-created') return undefined
      const at = now()
      const renewed: StoredRow = {
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
        doubtedAt: 0,
        asks: 0,
        updatedAtMs: Math.floor(at),
        lastSendAt: at + deadlineMs,
        nextAskAt: at + deadlineMs + graceMs,
      }
      store(renewed)
      return seen(renewed)
    },
    async record(requestId, claimToken, learnt) {
      const row = rows.get(requestId)
      if (row === undefined) return undefined
      if (!isForward(row, claimToken, learnt)) return { row, was: undefined }
      const changed = change(row, learnt)
      store(changed)
      return { row: changed, was: row.state }
    },
    async find(requestId) {
      const row = rows.get(requestId)
      return row && seen(row)
    },
    async findByKey(keyId) {
      const row = rows.get(requestIds.get(keyId) ?? '')
      return row && seen(row)
    },
    async takeDue(leaseMs, limit) {
      const taken: Row[] = []
      while (taken.length < limit) {
        const row = takeFrom(neverAsked, leaseMs) ?? takeFrom(askedBefore, leaseMs)
        if (row === undefined) break
        taken.push(row)
      }
      return taken
    },
    async postpone({ requestId, claimToken, pauseMs, takenAsks, asks, doubts, isAcknowledged }) {
      const row = rows.get(requestId)
      if (row?.claimToken !== claimToken || row.asks !== takenAsks || row.nextAskAt === Infinity) return
      const at = now()
      store({
        ...row,
        asks,
        doubts,
        doubtedAt: row.doubts > 0 ? row.doubtedAt : at,
        isAcknowledged: row.isAcknowledged || isAcknowledged,
        nextAskAt: pauseMs === undefined ? Infinity : at + pauseMs,
      })
    },
    async forgetOld() {
      // Where nothing is counted for long, what is left over from rows that are final now goes here.
      openRows.count(now())
      const before = now() - retentionMs
      for (const requestId of settled) {
        const row = rows.get(requestId) as StoredRow
        if (row.updatedAtMs >= before) break
        forget(row)
      }
      // A created client whose id was never learnt is asked about for ever, unless it is forgotten, too.
      for (const row of rows.values()) {
        if (row.updatedAtMs < before && row.state === 'created') forget(row)
      }
    },
    async stats() {
      const at = now()
      const dueAt = Math.min(neverAsked.peek()?.at ?? at, askedBefore.peek()?.at ?? at, at)
      return {
        ...openRows.count(at),
        oldestDueSeconds: (at - dueAt) / 1000,
      }
    },
    async adopt(account) {
      owner ??= account
      if (owner !== account) throw new ForeignLedgerError()
    },
    async probe() {},
    async close() {},
  }
}

function seen(row: StoredRow): Row {
  const at = now()
  return {
    ...row,
    sinceLastSendMs: at - row.lastSendAt,
    sinceUpdateMs: at - row.updatedAtMs,
    doubtedForMs: row.doubts > 0 ? at - row.doubtedAt : 0,
  }
}

function inspectMemory(rows: ReadonlyMap<string, StoredRow>, store: (row: StoredRow) => void): InspectableLedger {
  const inspected = (row: StoredRow): InspectedRow => ({
    ...seen(row),
    nextAskInMs: row.nextAskAt === Infinity ? undefined : row.nextAskAt - now(),
    resolution: row.resolution,
  })
  return {
    async *list(filter) {
      for (const row of rows.values()) if (matches(seen(row), filter)) yield inspected(row)
    },
    async inspect(requestId) {
      const row = rows.get(requestId)
      return row && inspected(row)
    },
    async resolve(requestId, decision) {
      const row = rows.get(requestId)
      if (row === undefined) return undefined
      if (!isResolvable(seen(row), decision)) return { row: inspected(row), was: undefined }
      const { state, clientId, by, why } = decision
      const at = now()
      const resolved: StoredRow = {
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
      store(resolved)
      return { row: inspected(resolved), was: row.state }
    },
  }
}
