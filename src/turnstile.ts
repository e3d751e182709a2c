/**
 * The event loop turns for everybody: whoever has milliseconds of work takes it in slices, with turns between them that have none,
 * so that eight documents at once make the requests between them wait for one slice and not for eight.
 */

/** Resolves in a turn of the event loop that no other slice has. */
export type Turn = () => Promise<void>

/** After each slice. A turn in which nobody else has anything to do takes some ten microseconds. */
const freeTurns = Number(process.env.FREE ?? 3)

export function createTurnstile(): Turn {
  const waiting: (() => void)[] = []
  let turnsToGo = 0
  let isTurning = false

  function turn(): void {
    if (turnsToGo > 0) turnsToGo--
    else {
      waiting.shift()?.()
      turnsToGo = freeTurns
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
