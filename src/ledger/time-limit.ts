/**
 * Calls `onLate` and rejects if the work takes longer than the limit: a server may hang without an answer. If this process was
 * blocked instead, the answer has already arrived: the event loop reads the answer before the immediate runs.
 */
export async function limitTime<T>(work: Promise<T>, limitMs: number, onLate: (error: Error) => void): Promise<T> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>()
  let isOver = false
  function giveUp(): void {
    if (isOver) return
    const error = new Error(`no answer from the ledger within ${limitMs} ms`)
    reject(error)
    onLate(error)
  }
  const timer = setTimeout(() => setImmediate(giveUp), limitMs)
  try {
    return await Promise.race([work, tooLate])
  } finally {
    isOver = true
    clearTimeout(timer)
  }
}
