/** Limits the creates in work. There is no queue: a caller that is refused may try another replica. */
import { createFairShare } from './fair-share.ts'

/** The place of one create, or of one caller that waits for a create. */
export interface Seat {
  /** Gives its place up and only waits from now on; false where too many wait already. */
  wait(): boolean
  leave(): void
}

export interface Bulkhead {
  /** A place among those that are being sent or asked about; undefined where there is none, or none more for this caller. */
  enter(caller: string): Seat | undefined
  /** A seat among those that only wait; undefined where there is none. */
  wait(): Seat | undefined
  /** Resolves when no seat is held. */
  idle(): Promise<void>
}

export interface BulkheadLimits {
  /** Of all callers; while another is active, one caller gets half of them. */
  readonly places: number
  readonly waiting: number
}

export function createBulkhead({ places, waiting }: BulkheadLimits): Bulkhead {
  const share = createFairShare(places)
  const taken = { places: 0, waiting: 0 }
  let emptied: PromiseWithResolvers<void> | undefined

  function seat(caller: string, kind: keyof typeof taken): Seat {
    taken[kind]++
    let held: keyof typeof taken | undefined = kind

    function giveUp(): void {
      if (held === 'places') share.leave(caller)
      if (held !== undefined) taken[held]--
    }

    return {
      wait() {
        if (held !== 'places') return true
        if (taken.waiting >= waiting) return false
        giveUp()
        taken.waiting++
        held = 'waiting'
        return true
      },
      leave() {
        giveUp()
        held = undefined
        // Who waits for the last one to leave looks for itself.
        emptied?.resolve()
        emptied = undefined
      },
    }
  }

  return {
    enter: (caller) => (share.enter(caller, performance.now()) ? seat(caller, 'places') : undefined),
    wait: () => (taken.waiting < waiting ? seat('', 'waiting') : undefined),
    async idle() {
      while (taken.places + taken.waiting > 0) {
        emptied ??= Promise.withResolvers()
        await emptied.promise
      }
    },
  }
}
