/** An end to the waiting for a server that may stand still. */

/**
 * Rejects when the work takes longer, after `onLate`. Where it was this process that stood still, the answer is there, and is
 * read before the immediate's turn comes.
 */
export async function limitTime<T>(work: Promise<T>, limitMs: number, onLate: (error: Error) => void): Promise<T> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>()
  let isOver = false
  function giveUp(): void {
    if (isOver) return
    const error = new Error(`no answer from the ledger within ${limitMs} ms`)
    onLate(error)
    reject(error)
  }
  const timer = setTimeout(() => setImmediate(giveUp), limitMs)
  try {
    return await Promise.race([work, tooLate])
  } finally {
    isOver = true
    clearTimeout(timer)
  }
}
