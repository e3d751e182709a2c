/** Limits the creates in work. There is no queue: a caller that is refused may try another replica. */

/** The place of one create, or of one caller that waits for a create. */
export interface Seat {
  /** Gives its place up and only waits from now on; false where too many wait already. */
  wait(): boolean
  leave(): void
}

export interface Bulkhead {
  /** A place among those that are being sent or asked about; undefined where there is none. */
  enter(): Seat | undefined
  /** A seat among those that only wait; undefined where there is none. */
  wait(): Seat | undefined
  /** Resolves when no seat is held. */
  idle(): Promise<void>
}

export interface BulkheadLimits {
  readonly places: number
  readonly waiting: number
}

export function createBulkhead(limits: BulkheadLimits): Bulkhead {
  const taken = { places: 0, waiting: 0 }
  let emptied: PromiseWithResolvers<void> | undefined

  function take(kind: keyof BulkheadLimits): Seat | undefined {
    if (taken[kind] >= limits[kind]) return undefined
    taken[kind]++
    let held: keyof BulkheadLimits | undefined = kind
    return {
      wait() {
        if (held !== 'places') return true
        if (taken.waiting >= limits.waiting) return false
        taken.places--
        taken.waiting++
        held = 'waiting'
        return true
      },
      leave() {
        if (held === undefined) return
        taken[held]--
        held = undefined
        if (taken.places + taken.waiting > 0) return
        emptied?.resolve()
        emptied = undefined
      },
    }
  }

  return {
    enter: () => take('places'),
    wait: () => take('waiting'),
    async idle() {
      while (taken.places + taken.waiting > 0) {
        emptied ??= Promise.withResolvers()
        await emptied.promise
      }
    },
  }
}
