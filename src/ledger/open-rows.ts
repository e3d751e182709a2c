/**
 * The rows that are not final, sorted by age. A count visits only rows that have changed their age group since the last count.
 */
import { DueQueue } from './due-queue.ts'
import { attentionAfterMs } from './rules.ts'

export class OpenRows {
  /** Three age groups: claim running, unresolved, needs attention. A count moves a row to the next group. */
  private readonly inHand: DueQueue
  private readonly young: DueQueue
  private readonly old: DueQueue
  private readonly unresolved = new Set<string>()
  private readonly needsAttention = new Set<string>()

  /** `isCurrent`: the row is still open and `lastSendAt` is still its time. */
  constructor(isCurrent: (id: string, lastSendAt: number) => boolean) {
    this.inHand = new DueQueue(isCurrent)
    this.young = new DueQueue(isCurrent)
    this.old = new DueQueue(isCurrent)
  }

  add(id: string, lastSendAt: number): void {
    this.delete(id)
    this.inHand.add(id, lastSendAt)
  }

  delete(id: string): void {
    this.unresolved.delete(id)
    this.needsAttention.delete(id)
  }

  count(now: number) {
    for (let row = this.inHand.take(now); row !== undefined; row = this.inHand.take(now)) {
      this.unresolved.add(row.id)
      this.young.add(row.id, row.at)
    }
    const before = now - attentionAfterMs
    for (let row = this.young.take(before); row !== undefined; row = this.young.take(before)) {
      this.needsAttention.add(row.id)
      this.old.add(row.id, row.at)
    }
    const oldest = this.old.peek() ?? this.young.peek()
    return {
      unresolved: this.unresolved.size,
      needsAttention: this.needsAttention.size,
      oldestUnresolvedSeconds: (now - (oldest?.at ?? now)) / 1000,
    }
  }
}
