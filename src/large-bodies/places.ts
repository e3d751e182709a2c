/** Places for large bodies that are being read. There is no queue behind them: a caller that is refused can go elsewhere. */
export interface Places {
  /** Takes a place; false where there is none. */
  enter(): boolean
  leave(): void
}

export function createPlaces(limit: number): Places {
  let taken = 0
  return {
    enter() {
      if (taken >= limit) return false
      taken++
      return true
    },
    leave() {
      taken--
    },
  }
}
