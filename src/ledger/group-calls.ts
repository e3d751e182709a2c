/**
 * Calls of the same moment share one statement: for this process and for the database a statement costs many times more than
 * one of its rows. A call waits until the end of the turn of the event loop, and for the group before.
 */
import { limitTime } from './time-limit.ts'

export interface GroupedCalls<Item, Result> {
  /** No group holds two items with one id. */
  readonly idOf: (item: Item) => string
  /** The results in the order of the items. Undefined: the item is called alone. */
  readonly callTogether: (items: readonly Item[]) => Promise<readonly (Result | undefined)[]>
  readonly callAlone: (item: Item) => Promise<Result>
  /** True if the failed group has changed nothing, and the reason may be one of its items. Then each item is called alone. */
  readonly isFaultOfOne: (error: unknown) => boolean
  /** The longest that one call may take: the wait for the group before, its group, and the call alone after that. */
  readonly limitMs: number
}

/** Limits the work that is done again after a fault of one item. */
const largestGroup = 64
/** The longest wait for the group before, so that a group that hangs does not hold up the next calls. */
const patienceMs = 20

interface Waiting<Item, Result> {
  readonly item: Item
  /** Nobody waits for the result any more. */
  isLate: boolean
  readonly resolve: (result: Result | Promise<Result>) => void
  readonly reject: (error: unknown) => void
}

export function groupCalls<Item, Result>(calls: GroupedCalls<Item, Result>): (item: Item) => Promise<Result> {
  const queue = new CallQueue(calls)
  return (item) => queue.add(item)
}

class CallQueue<Item, Result> {
  private readonly calls: GroupedCalls<Item, Result>
  private waiting: Waiting<Item, Result>[] = []
  private underWay = 0
  private isScheduled = false
  private patience: NodeJS.Timeout | undefined

  constructor(calls: GroupedCalls<Item, Result>) {
    this.calls = calls
  }

  add(item: Item): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    const one: Waiting<Item, Result> = { item, isLate: false, resolve, reject }
    this.waiting.push(one)
    this.schedule()
    // A statement that is under way goes on: the server ends the statement, and the connection is not to blame.
    return limitTime(promise, this.calls.limitMs, () => {
      one.isLate = true
    })
  }

  private schedule(): void {
    if (this.isScheduled || this.waiting.length === 0) return
    if (this.underWay > 0) {
      this.patience ??= setTimeout(this.start, patienceMs)
      return
    }
    this.isScheduled = true
    setImmediate(this.start)
  }

  private readonly start = async (): Promise<void> => {
    this.isScheduled = false
    clearTimeout(this.patience)
    this.patience = undefined
    this.underWay += 1
    const called = this.call(this.takeGroup())
    this.schedule()
    await called
    this.underWay -= 1
    this.schedule()
  }

  private takeGroup(): readonly Waiting<Item, Result>[] {
    const group = new Map<string, Waiting<Item, Result>>()
    const later: Waiting<Item, Result>[] = []
    for (const one of this.waiting) {
      const id = this.calls.idOf(one.item)
      if (group.size === largestGroup || group.has(id)) later.push(one)
      else group.set(id, one)
    }
    this.waiting = later
    return [...group.values()]
  }

  private async call(group: readonly Waiting<Item, Result>[]): Promise<void> {
    const { callTogether, callAlone, isFaultOfOne } = this.calls
    const [first, second] = group
    try {
      if (second === undefined) {
        if (first !== undefined) first.resolve(await callAlone(first.item))
        return
      }
      const results = await callTogether(group.map(({ item }) => item))
      for (const [i, { item, resolve }] of group.entries()) resolve(results[i] ?? callAlone(item))
    } catch (error) {
      const isTriedAlone = second !== undefined && isFaultOfOne(error)
      for (const { item, isLate, resolve, reject } of group) {
        if (isTriedAlone && !isLate) resolve(callAlone(item))
        else reject(error)
      }
    }
  }
}
