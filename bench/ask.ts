/** Questions and answers over a child's IPC channel. */
import type { ChildProcess } from 'node:child_process'

export type Ask = (message: Record<string, unknown>) => Promise<unknown>

/** `idName` is the member that carries the question's number; the answer's is always `id`. */
export function createAsk(child: ChildProcess, idName: 'id' | 'benchId', timeoutMs = 10_000): Ask {
  const waiting = new Map<number, (value: unknown) => void>()
  let lastId = 0
  child.on('message', ({ id, value }: { id: number; value: unknown }) => {
    waiting.get(id)?.(value)
    waiting.delete(id)
  })

  return (message) => {
    lastId += 1
    const id = lastId
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const timer = setTimeout(() => {
      waiting.delete(id)
      reject(new Error(`process ${child.pid} did not answer ${JSON.stringify(message)} in ${timeoutMs} ms`))
    }, timeoutMs)
    waiting.set(id, resolve)
    child.send({ ...message, [idName]: id })
    return promise.finally(() => clearTimeout(timer))
  }
}
