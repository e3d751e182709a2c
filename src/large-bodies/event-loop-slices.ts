/**
 * The event loop turns for everybody: whoever has milliseconds of work takes it in slices, with turns between them that have none,
 * so that eight documents at once make the requests between them wait for one slice and not for eight.
 */

/** Resolves in a turn of the event loop that no other slice has. */
export type Turn = () => Promise<void>

/** After each slice, unless a turn turns out to have been for nobody: then nobody is there to be served first. */
const freeTurns = 32
/** However long those turns are, the next slice waits no longer: a document must be sent within its deadline, too. */
const longestPauseMs = 25
/** What a turn takes in which nobody else has anything to do, at most. */
const emptyTurnMs = 0.05

export function createTurnstile(): Turn {
  const waiting: (() => void)[] = []
  let turnsToGo = 0
  let isTurning = false
  let turnedAt = 0
  let servedAt = 0

  function turn(): void {
    const now = performance.now()
    if (now - turnedAt < emptyTurnMs || now - servedAt > longestPauseMs) turnsToGo = 0
    turnedAt = now
    const next = turnsToGo > 0 ? undefined : waiting.shift()
    if (next === undefined) {
      turnsToGo = Math.max(0, turnsToGo - 1)
    } else {
      turnsToGo = freeTurns
      servedAt = now
      next()
    }
    isTurning = waiting.length > 0 || turnsToGo > 0
    if (isTurning) setImmediate(turn)
  }

  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      if (isTurning) return
      isTurning = true
      setImmediate(turn)
    })
}

/** Bodies from this size on are worked on in slices; below it a slice would cost more than it spares. */
export const largeBodyBytes = 128 * 1024
