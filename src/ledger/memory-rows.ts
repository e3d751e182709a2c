/** The rows of the ledger in memory, with indexes by key, by due time and by age. */
import { DueQueue } from './due-queue.ts'
import type { Resolution } from './inspection.ts'
import type { Row } from './ledger.ts'
import { OpenRows } from './open-rows.ts'
import { isFinal } from './states.ts'

/** Immutable: a change replaces the row, so that callers need no copy. Times are milliseconds of `now`. */
export interface StoredRow extends Omit<Row, 'doubtedForMs' | 'sinceLastSendMs' | 'sinceUpdateMs'> {
  readonly lastSendAt: number
  readonly doubtedAt: number
  /** Infinity: no question is left. */
  readonly nextAskAt: number
  readonly resolution: Resolution | undefined
}

/** Milliseconds since the epoch, on a monotonic clock: a change of the system clock does not move this clock. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

export function toRow(row: StoredRow): Row {
  const at = now()
  return {
    ...row,
    sinceLastSendMs: at - row.lastSendAt,
    sinceUpdateMs: at - row.updatedAtMs,
    doubtedForMs: row.doubts > 0 ? at - row.doubtedAt : 0,
  }
}

/** The claim runs, and no question is due before its end. */
function isInHand({ state, lastSendAt, nextAskAt }: StoredRow): boolean {
  return state === 'sent' && lastSendAt > now() && nextAskAt > lastSendAt && nextAskAt !== Infinity
}

export class MemoryRows {
  private readonly rows = new Map<string, StoredRow>()
  private readonly requestIds = new Map<string, string>()
  /**
   * The ids of rows whose claim runs. Most get their outcome before the claim ends. So they enter the indexes by time only at
   * the end of the claim: otherwise each create would leave outdated entries behind.
   */
  private readonly inHand = new Set<string>()
  /** The ids of settled rows, oldest first. */
  private readonly settled = new Set<string>()
  private readonly open = new OpenRows((id, lastSendAt) => {
    const row = this.rows.get(id)
    return row !== undefined && !isFinal(row.state) && row.lastSendAt === lastSendAt
  })
  private readonly neverAsked = new DueQueue((id, at) => this.isDue(id, at))
  private readonly askedBefore = new DueQueue((id, at) => this.isDue(id, at))

  get(requestId: string): StoredRow | undefined {
    return this.rows.get(requestId)
  }

  getByKey(keyId: string): StoredRow | undefined {
    const requestId = this.requestIds.get(keyId)
    return requestId === undefined ? undefined : this.rows.get(requestId)
  }

  values(): Iterable<StoredRow> {
    return this.rows.values()
  }

  store(row: StoredRow): void {
    const { requestId, keyId } = row
    const known = this.rows.get(requestId)
    this.rows.set(requestId, row)
    if (keyId !== undefined) this.requestIds.set(keyId, requestId)
    if (known?.nextAskAt === Infinity) this.settled.delete(requestId)
    if (isInHand(row)) {
      this.open.delete(requestId)
      this.inHand.add(requestId)
    } else {
      this.index(row, this.inHand.delete(requestId) ? undefined : known)
    }
  }

  /** `known`: the row as it stands in the indexes. */
  private index({ requestId, state, asks, nextAskAt, lastSendAt }: StoredRow, known: StoredRow | undefined): void {
    if (nextAskAt === Infinity) this.settled.add(requestId)
    else if (known?.nextAskAt !== nextAskAt) {
      const queue = asks === 0 ? this.neverAsked : this.askedBefore
      queue.add(requestId, nextAskAt)
    }

    if (isFinal(state)) this.open.delete(requestId)
    else if (known === undefined || isFinal(known.state) || known.lastSendAt !== lastSendAt) {
      this.open.add(requestId, lastSendAt)
    }
  }

  /** Puts the rows whose claim has ended into the indexes. */
  private indexEndedClaims(at: number): void {
    for (const requestId of this.inHand) {
      const row = this.rows.get(requestId) as StoredRow
      if (row.lastSendAt > at) continue
      this.inHand.delete(requestId)
      this.index(row, undefined)
    }
  }

  /**
   * Takes up to `limit` due rows: `asks` of each grows by one, and the lease ends after `leaseMs`. Rows without a question so far
   * come first.
   */
  takeDue(leaseMs: number, limit: number): StoredRow[] {
    const at = now()
    this.indexEndedClaims(at)
    const taken: StoredRow[] = []
    while (taken.length < limit) {
      const next = this.neverAsked.take(at) ?? this.askedBefore.take(at)
      if (next === undefined) break
      const row = this.rows.get(next.id) as StoredRow
      const leased = { ...row, asks: row.asks + 1, nextAskAt: at + leaseMs }
      this.store(leased)
      taken.push(leased)
    }
    return taken
  }

  forgetBefore(before: number): void {
    // The count drops outdated heap entries. Without this call they would pile up while no metrics are read.
    this.count()
    for (const requestId of this.settled) {
      const row = this.rows.get(requestId) as StoredRow
      if (row.updatedAtMs >= before) break
      this.forget(row)
    }
    // A created client without an id is never settled. Without this loop its questions would never end.
    for (const row of this.rows.values()) {
      if (row.updatedAtMs < before && row.state === 'created') this.forget(row)
    }
  }

  count() {
    const at = now()
    this.indexEndedClaims(at)
    const dueAt = Math.min(this.neverAsked.peek()?.at ?? at, this.askedBefore.peek()?.at ?? at, at)
    return { ...this.open.count(at), oldestDueSeconds: (at - dueAt) / 1000 }
  }

  private isDue(id: string, at: number): boolean {
    return this.rows.get(id)?.nextAskAt === at
  }

  private forget({ requestId, keyId }: StoredRow): void {
    this.rows.delete(requestId)
    if (keyId !== undefined) this.requestIds.delete(keyId)
    this.settled.delete(requestId)
    this.open.delete(requestId)
    this.inHand.delete(requestId)
  }
}
