/** Ids sorted by time. A binary heap, so that the earliest of 100,000 rows is found without a scan. */

interface Entry {
  readonly at: number
  readonly id: string
}

export class DueQueue {
  private readonly entries: Entry[] = []
  private readonly isCurrent: (id: string, at: number) => boolean

  /** `isCurrent` is false for an outdated entry: an id that gets another time leaves its old entry in the heap. */
  constructor(isCurrent: (id: string, at: number) => boolean) {
    this.isCurrent = isCurrent
  }

  add(id: string, at: number): void {
    const { entries } = this
    let index = entries.push({ at, id }) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (this.time(parent) <= this.time(index)) break
      this.swap(parent, index)
      index = parent
    }
  }

  /** The earliest entry that is not outdated. */
  peek(): Entry | undefined {
    for (;;) {
      const first = this.entries[0]
      if (first === undefined || this.isCurrent(first.id, first.at)) return first
      this.dropFirst()
    }
  }

  /** Removes and returns the earliest entry, if its time has come. */
  take(now: number): Entry | undefined {
    const first = this.peek()
    if (first === undefined || first.at > now) return undefined
    this.dropFirst()
    return first
  }

  private dropFirst(): void {
    const { entries } = this
    const last = entries.pop()
    if (last === undefined || entries.length === 0) return
    entries[0] = last
    for (let index = 0; ; ) {
      const left = 2 * index + 1
      const least = this.time(left + 1) < this.time(left) ? left + 1 : left
      if (this.time(least) >= this.time(index)) return
      this.swap(least, index)
      index = least
    }
  }

  private time(index: number): number {
    return this.entries[index]?.at ?? Infinity
  }

  private swap(a: number, b: number): void {
    const { entries } = this
    const entry = entries[a] as Entry
    entries[a] = entries[b] as Entry
    entries[b] = entry
  }
}
