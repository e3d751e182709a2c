/**
 * Calls `onLate` and rejects if the work takes longer than the limit: a server may hang without an answer. If this process was
 * blocked instead, the answer has already arrived: the event loop reads the answer before the immediate runs.
 */
export function limitTime<T>(work: Promise<T>, limitMs: number, onLate: (error: Error) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let isOver = false
    const timer = setTimeout(() => setImmediate(giveUp), limitMs)
    function giveUp(): void {
      if (isOver) return
      const error = new Error(`no answer from the ledger within ${limitMs} ms`)
      reject(error)
      onLate(error)
    }
    function stop(): void {
      isOver = true
      clearTimeout(timer)
    }
    work.then(
      (result) => {
        stop()
        resolve(result)
      },
      (error) => {
        stop()
        reject(error)
      },
    )
  })
}
