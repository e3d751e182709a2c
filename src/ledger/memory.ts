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
  isSettled,
  type Ledger,
  predecessors,
  type Row,
  type State,
} from './ledger.ts'

/** Replaced, never changed, so that it can be handed out as it is. Times are milliseconds since the epoch. */
interface StoredRow extends Row {
  readonly deadlineAt: number
  /** Infinity where there is nothing to ask. */
  readonly nextAskAt: number
}

export function openMemoryLedger({ retentionMs }: { retentionMs: number }): Ledger {
  /** The rows that still have to be asked about: few, whatever the number of all. */
  const toAsk = new Map<string, StoredRow>()
  /** The others, in the order in which they were settled. */
  const settled = new Map<string, StoredRow>()

  const rowOf = (requestId: string) => toAsk.get(requestId) ?? settled.get(requestId)

  function isChange(row: StoredRow, claims: number, { state, clientId }: Change): boolean {
    if (isOwnConclusion(state) && claims !== row.claims) return false
    const isIdLearnt =
      state === 'created' && row.state === 'created' && row.clientId === undefined && clientId !== undefined
    return isIdLearnt || (predecessors[state] as readonly State[]).includes(row.state)
  }

  function change(row: StoredRow, { state, clientId, partnerCode, partnerDescription }: Change): StoredRow {
    const { requestId, caller, fingerprint, claims, asks } = row
    const now = Date.now()
    const hasSettled = isSettled({ state, clientId })
    const changed: StoredRow = {
      requestId,
      caller,
      fingerprint,
      state,
      clientId,
      partnerCode,
      partnerDescription,
      claims,
      asks,
      updatedAtMs: now,
      isOverdue: true,
      deadlineAt: Math.min(row.deadlineAt, now),
      nextAskAt: hasSettled ? Infinity : now + firstAskMs,
    }
    toAsk.delete(requestId)
    // Also where it has settled before: its place is by when it did last.
    if (row.nextAskAt === Infinity) settled.delete(requestId)
    ;(hasSettled ? settled : toAsk).set(requestId, changed)
    return changed
  }

  return {
    async claim({ requestId, caller, fingerprint, deadlineMs }: Claim) {
      const now = Date.now()
      const known = rowOf(requestId)
      if (known !== undefined && (known.state !== 'not-created' || known.fingerprint !== fingerprint)) {
        return { isClaimed: false, row: seenAt(now, known) }
      }
      const row: StoredRow = {
        requestId,
        caller,
        fingerprint,
        state: 'sent',
        clientId: undefined,
        partnerCode: undefined,
        partnerDescription: undefined,
        claims: known === undefined ? 1 : known.claims + 1,
        asks: 0,
        updatedAtMs: now,
        isOverdue: false,
        deadlineAt: now + deadlineMs,
        nextAskAt: now + deadlineMs + graceMs,
      }
      if (known !== undefined) settled.delete(requestId)
      toAsk.set(requestId, row)
      return { isClaimed: true, row }
    },
    async record(requestId, claims, learnt) {
      const row = rowOf(requestId)
      if (row === undefined) return undefined
      return isChange(row, claims, learnt) ? change(row, learnt) : row
    },
    async find(requestId) {
      const row = rowOf(requestId)
      return row && seenAt(Date.now(), row)
    },
    async takeDue(leaseMs) {
      const now = Date.now()
      let next: StoredRow | undefined
      for (const row of toAsk.values()) {
        if (row.nextAskAt <= now && (next === undefined || row.nextAskAt < next.nextAskAt)) next = row
      }
      if (next === undefined) return undefined
      const taken = { ...next, asks: next.asks + 1, nextAskAt: now + leaseMs }
      toAsk.set(next.requestId, taken)
      return seenAt(now, taken)
    },
    async postpone(requestId, claims, pauseMs) {
      const row = toAsk.get(requestId)
      if (row?.claims === claims) toAsk.set(requestId, { ...row, nextAskAt: Date.now() + pauseMs })
    },
    async forgetOld() {
      const before = Date.now() - retentionMs
      for (const row of settled.values()) {
        if (row.updatedAtMs >= before) break
        settled.delete(row.requestId)
      }
      // A created client whose id was never learnt is asked about for ever, unless it is forgotten, too.
      for (const row of toAsk.values()) {
        if (isFinal(row.state) && row.updatedAtMs < before) toAsk.delete(row.requestId)
      }
    },
    async unresolved() {
      const now = Date.now()
      const overdue = [...toAsk.values()].filter((row) => !isFinal(row.state) && row.deadlineAt <= now)
      const oldest = overdue.reduce((least, { deadlineAt }) => Math.min(least, deadlineAt), now)
      return { count: overdue.length, oldestSeconds: (now - oldest) / 1000 }
    },
    async ping() {},
    async close() {},
  }
}

function seenAt(now: number, row: StoredRow): Row {
  return row.isOverdue === row.deadlineAt <= now ? row : { ...row, isOverdue: row.deadlineAt <= now }
}
