/** Ids in the order of their times: a binary heap, so that 100,000 rows cost no more to look through than ten. */

interface Entry {
  readonly at: number
  readonly id: string
}

export class DueQueue {
  private readonly entries: Entry[] = []
  private readonly isCurrent: (id: string, at: number) => boolean

  /** `isCurrent` tells whether an entry still stands: an id that was given another time leaves the old entry behind. */
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

  /** The earliest entry that still stands. */
  peek(): Entry | undefined {
    for (;;) {
      const first = this.entries[0]
      if (first === undefined || this.isCurrent(first.id, first.at)) return first
      this.dropFirst()
    }
  }

  /** Takes out the earliest entry whose time has come. */
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
