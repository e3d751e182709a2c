/** Free ports of the loopback interface. */
import { createServer } from 'node:net'

export async function findFreePorts(): Promise<[number, number]> {
  // One after the other is closed only when both are known, or they could be the same.
  const [first, second] = [await listenAnywhere(), await listenAnywhere()]
  await Promise.all([first.close(), second.close()])
  return [first.port, second.port]
}

function listenAnywhere(): Promise<{ port: number; close: () => Promise<void> }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ port: number; close: () => Promise<void> }>()
  const server = createServer().once('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    if (address === null || typeof address === 'string') return reject(new Error('no port'))
    resolve({ port: address.port, close: () => new Promise((closed) => server.close(() => closed())) })
  })
  return promise
}
