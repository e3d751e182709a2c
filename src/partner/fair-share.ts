/**
 * Who may take how many of a number of places: a caller that is alone may have all of them; while another has been active a moment
 * ago, half. So there is room at once for a second caller.
 */

export const activeMs = 10_000

/** Whether callers other than a given one were active in the last `activeMs`. */
export interface Activity {
  note(caller: string, nowMs: number): void
  isAlone(caller: string, nowMs: number): boolean
}

export function createActivity(): Activity {
  /** The caller that was active last, and the last one before it that was another: more is never asked for. */
  let latest: { caller: string; atMs: number } | undefined
  let latestOther: typeof latest
  return {
    note(caller, nowMs) {
      if (latest?.caller !== caller) latestOther = latest
      latest = { caller, atMs: nowMs }
    },
    isAlone(caller, nowMs) {
      const other = latest?.caller === caller ? latestOther : latest
      return other === undefined || nowMs - other.atMs >= activeMs
    },
  }
}

export interface FairShare {
  /** Takes a place for the caller; false where its share, or everything, is taken. Either way the caller counts as active. */
  enter(caller: string, nowMs?: number): boolean
  /** Gives one place of the caller's back. */
  leave(caller: string): void
}

export function createFairShare(places: number): FairShare {
  const taken = new Map<string, number>()
  const activity = createActivity()
  let allTaken = 0
  /** One place must be enough for anybody. */
  const half = Math.max(1, Math.floor(places / 2))

  function isAlone(caller: string, nowMs: number): boolean {
    // A caller whose creates are under way is active, however long ago it asked.
    if (allTaken > (taken.get(caller) ?? 0)) return false
    return activity.isAlone(caller, nowMs)
  }

  return {
    enter(caller, nowMs = performance.now()) {
      activity.note(caller, nowMs)
      const own = taken.get(caller) ?? 0
      const share = isAlone(caller, nowMs) ? places : half
      if (allTaken >= places || own >= share) return false
      taken.set(caller, own + 1)
      allTaken++
      return true
    },
    leave(caller) {
      const own = taken.get(caller) ?? 0
      if (own === 0) return
      allTaken--
      if (own === 1) taken.delete(caller)
      else taken.set(caller, own - 1)
    },
  }
}
