/** Limits how many large bodies are read at once. There is no queue: a caller that is refused may try another replica. */
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
