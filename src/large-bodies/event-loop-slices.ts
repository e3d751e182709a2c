/**
 * Work of several milliseconds is done in slices, with free turns of the event loop between the slices. So a small request waits
 * for one slice of one document, and not for eight documents that arrive at once.
 */

/** Resolves in a turn of the event loop that no other slice has. */
export type Turn = () => Promise<void>

/** Free turns after each slice. They end early when a turn had no other work to do. */
const freeTurns = 32
/** The longest pause between two slices, however much other work there is: a document has a deadline, too. */
const longestPauseMs = 25
/** A turn without other work takes less than this. */
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

/** Bodies of this size or more are worked on in slices. For smaller ones a slice costs more than it saves. */
export const largeBodyBytes = 128 * 1024
