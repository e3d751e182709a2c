/**
 * The ledger of a process that needs none beyond its own life: what `sqlite::memory:` promises, without the database. An
 * in-memory SQLite forgets as much when the process ends and costs several times the CPU of all the rest of the ledger's work.
 */
import {
  type Change,
  type Claim,
  firstAskMs,
  graceMs,
  isFinal,
  isOwnConclusion,
  type Ledger,
  predecessors,
  type Row,
  type State,
} from './ledger.ts'

/** Times are milliseconds since the epoch; nextAskAt is Infinity where there is nothing to ask. */
type StoredRow = { -readonly [K in keyof Omit<Row, 'isOverdue'>]: Row[K] } & {
  deadlineAt: number
  nextAskAt: number
}

export function openMemoryLedger({ retentionMs }: { retentionMs: number }): Ledger {
  const rows = new Map<string, StoredRow>()
  /** The rows that still have to be asked about: few, whatever the number of all. */
  const toAsk = new Set<StoredRow>()

  function store(row: StoredRow): void {
    if (row.nextAskAt === Infinity) toAsk.delete(row)
    else toAsk.add(row)
    rows.set(row.requestId, row)
  }

  return {
    async claim({ requestId, caller, fingerprint, deadlineMs }: Claim) {
      const now = Date.now()
      const known = rows.get(requestId)
      if (known !== undefined && (known.state !== 'not-created' || known.fingerprint !== fingerprint)) {
        return { isClaimed: false, row: toRow(known, now) }
      }
      const deadlineAt = now + deadlineMs
      const row: StoredRow = {
        requestId,
        caller,
        fingerprint,
        state: 'sent',
        clientId: undefined,
        partnerCode: undefined,
        partnerDescription: undefined,
        claims: (known?.claims ?? 0) + 1,
        asks: 0,
        updatedAtMs: now,
        deadlineAt,
        nextAskAt: deadlineAt + graceMs,
      }
      if (known !== undefined) toAsk.delete(known)
      store(row)
      return { isClaimed: true, row: toRow(row, now) }
    },
    async record(requestId, claims, { state, clientId, partnerCode, partnerDescription }: Change) {
      const row = rows.get(requestId)
      if (row === undefined) return undefined
      const isForward = (predecessors[state] as readonly State[]).includes(row.state)
      const isIdLearnt =
        state === 'created' && row.state === 'created' && row.clientId === undefined && clientId !== undefined
      if ((isForward || isIdLearnt) && (!isOwnConclusion(state) || claims === row.claims)) {
        const now = Date.now()
        const isSettled = isFinal(state) && !(state === 'created' && clientId === undefined)
        Object.assign(row, { state, clientId, partnerCode, partnerDescription, updatedAtMs: now })
        row.deadlineAt = Math.min(row.deadlineAt, now)
        row.nextAskAt = isSettled ? Infinity : now + firstAskMs
        store(row)
      }
      return toRow(row, Date.now())
    },
    async find(requestId) {
      const row = rows.get(requestId)
      return row && toRow(row, Date.now())
    },
    async takeDue(leaseMs) {
      const now = Date.now()
      let next: StoredRow | undefined
      for (const row of toAsk) {
        if (row.nextAskAt <= now && (next === undefined || row.nextAskAt < next.nextAskAt)) next = row
      }
      if (next === undefined) return undefined
      next.asks++
      next.nextAskAt = now + leaseMs
      return toRow(next, now)
    },
    async postpone(requestId, claims, pauseMs) {
      const row = rows.get(requestId)
      if (row?.claims === claims && row.nextAskAt !== Infinity) row.nextAskAt = Date.now() + pauseMs
    },
    async forgetOld() {
      const before = Date.now() - retentionMs
      for (const row of rows.values()) {
        if (!isFinal(row.state) || row.updatedAtMs >= before) continue
        rows.delete(row.requestId)
        toAsk.delete(row)
      }
    },
    async unresolved() {
      const now = Date.now()
      const overdue = [...toAsk].filter((row) => !isFinal(row.state) && row.deadlineAt <= now)
      const oldest = overdue.reduce((least, { deadlineAt }) => Math.min(least, deadlineAt), now)
      return { count: overdue.length, oldestSeconds: (now - oldest) / 1000 }
    },
    async ping() {},
    async close() {},
  }
}

function toRow(row: StoredRow, now: number): Row {
  const { deadlineAt, nextAskAt: _, ...known } = row
  return { ...known, isOverdue: deadlineAt <= now }
}
