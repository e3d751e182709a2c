import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fastify } from 'fastify'
import t, { type Test } from 'tap'
import drain, { drainServer, type InFlight, type Lifecycle } from '../../src/plugins/drain.ts'
import errorHandler from '../../src/plugins/error-handler.ts'

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let hasSettled = false
  promise.then(() => {
    hasSettled = true
  })
  for (let turn = 0; turn < 3; turn++) await nextTurn()
  return hasSettled
}

/** A server with the drain's hooks, one route that takes a body, and one that waits. */
async function startServer(t: Test) {
  const app = fastify()
  const lifecycle: Lifecycle = { phase: 'ready' }
  const arrived = Promise.withResolvers<void>()
  const waiting = Promise.withResolvers<void>()
  await app.register(errorHandler)
  await app.register(drain, { lifecycle })
  app.post('/', async () => ({ ok: true }))
  app.get('/wait', async () => {
    arrived.resolve()
    await waiting.promise
    return { ok: true }
  })
  await app.listen()
  t.teardown(() => app.close())
  const { port } = app.server.address() as AddressInfo

  async function openSocket(): Promise<Socket> {
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }

  async function open(bytes: string): Promise<{ socket: Socket; received: Promise<string> }> {
    const socket = await openSocket()
    socket.write(bytes)
    return { socket, received: text(socket) }
  }

  const stop = (inFlight: InFlight = { idle: async () => {} }) => drainServer(app, lifecycle, inFlight)
  return { app, lifecycle, openSocket, open, drain: stop, arrived, waiting }
}

const post = (body: string, length = body.length) =>
  `POST / HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`
const refusal = /^HTTP\/1.1 503 .*\r\nretry-after: [12]\r\n.*connection: close\r\n.*"code":"overloaded"/is

t.test('connections that wait to be accepted are taken and told, not reset', async (t) => {
  const { open, drain } = await startServer(t)
  const callers = await Promise.all(Array.from({ length: 40 }, () => open(post('{}'))))
  await drain()
  const answers = await Promise.all(callers.map(({ received }) => received))
  t.strictSame(
    answers.filter((answer) => !/^HTTP\/1.1 (?:200|503) .*connection: close/is.test(answer)),
    [],
    'each of them has a complete answer',
  )
})

t.test('a kept-alive connection may bring one more request, which is told to go elsewhere', async (t) => {
  const { open, drain, app } = await startServer(t)
  const { socket, received } = await open(post('{}'))
  await once(socket, 'data')
  const drained = drain()
  while (app.server.listening) await nextTurn()
  socket.write(post('{}'))
  t.match((await received).split('HTTP/1.1 ').at(-1), /^503 .*connection: close/is)
  await drained
})

t.test('a caller that sends a large body before it reads gets its refusal, not a reset', async (t) => {
  const { openSocket, drain, app } = await startServer(t)
  const half = 'x'.repeat(500_000)
  const socket = await openSocket()
  const drained = drain()
  while (app.server.listening) await nextTurn()
  const hasArrived = once(app.server, 'request')
  socket.write(post(`"${half}`, 1_000_002))
  await hasArrived
  for (let turn = 0; turn < 20; turn++) await nextTurn()
  socket.write(`${half}"`)
  t.match(await text(socket), refusal)
  await drained
})

t.test('a refusal while closing keeps a request with a key to its key', async (t) => {
  const { app, lifecycle } = await startServer(t)
  lifecycle.phase = 'closing'
  app.server.close()
  // The ledger was not asked for the key, so an earlier attempt may have reached FreedomPay.
  for (const [headers, safeToRetry] of [
    [{}, 'yes'],
    [{ 'idempotency-key': 'order-1' }, 'same-key-only'],
  ] as const) {
    const refused = await app.inject({ method: 'POST', url: '/', headers, payload: {} })
    t.match(refused.json(), { status: 503, code: 'overloaded', safeToRetry })
  }
})

t.test('what is being answered is answered, and its connection ends', async (t) => {
  const { open, drain, arrived, waiting, lifecycle } = await startServer(t)
  const inFlight = { idle: () => waiting.promise }
  const { received } = await open('GET /wait HTTP/1.1\r\nHost: test\r\n\r\n')
  await arrived.promise
  const drained = drain(inFlight)
  t.equal(lifecycle.phase, 'closing')
  t.notOk(await isSettled(drained))
  waiting.resolve()
  t.match(await received, /^HTTP\/1.1 200 .*connection: close.*\{"ok":true\}/is)
  await drained
})
