/**
 * The event loop turns for everybody: whoever has milliseconds of work takes it in slices, one a turn, so that eight documents
 * at once make the requests between them wait for one slice and not for eight.
 */

/** Resolves in a turn of the event loop that no other slice has. */
export type Turn = () => Promise<void>

export function createTurnstile(): Turn {
  const waiting: (() => void)[] = []

  function letNextThrough(): void {
    waiting.shift()?.()
    if (waiting.length > 0) setImmediate(letNextThrough)
  }

  return () =>
    new Promise((resolve) => {
      if (waiting.push(resolve) === 1) setImmediate(letNextThrough)
    })
}

/** Bodies from this size on are worked on in slices; below it a slice would cost more than it spares. */
export const largeBodyBytes = 128 * 1024
