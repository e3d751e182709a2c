/**
 * Who may take how many of a number of places: a caller that is alone may have all of them; while another has been active a moment
 * ago, half. So there is room at once for those who come second.
 */

export const activeMs = 10_000

export interface FairShare {
  /** Takes a place for the caller; false where its share, or everything, is taken. Either way the caller counts as active. */
  enter(caller: string, nowMs?: number): boolean
  /** Gives one place of the caller's back. */
  leave(caller: string): void
}

export function createFairShare(places: number): FairShare {
  const taken = new Map<string, number>()
  let allTaken = 0
  /** The caller that was active last, and the last one before it that was another: more is never asked for. */
  let latest: { caller: string; atMs: number } | undefined
  let latestOther: { caller: string; atMs: number } | undefined
  /** One place must be enough for anybody. */
  const half = Math.max(1, Math.floor(places / 2))

  function isAlone(caller: string, nowMs: number): boolean {
    // A caller whose creates are under way is active, however long ago it asked.
    if (allTaken > (taken.get(caller) ?? 0)) return false
    return latestOther === undefined || nowMs - latestOther.atMs >= activeMs
  }

  return {
    enter(caller, nowMs = performance.now()) {
      if (latest !== undefined && latest.caller !== caller) latestOther = latest
      latest = { caller, atMs: nowMs }
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
