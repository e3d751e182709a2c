/** The rows that are not final, sorted by how long they wait. A count looks at no more rows than have changed place since the last. */
import { DueQueue } from './due-queue.ts'
import { attentionAfterMs } from './rules.ts'

export class OpenRows {
  /** Places in the order of age; a row moves on when a count finds that its time has come. */
  private readonly inHand: DueQueue
  private readonly young: DueQueue
  private readonly old: DueQueue
  private readonly unresolved = new Set<string>()
  private readonly needsAttention = new Set<string>()

  /** `isCurrent` tells whether a row is still open and was last sent at that time. */
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
