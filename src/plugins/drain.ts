/** Stopping without cutting a request: requests in flight get their real answer, and new requests are refused. */
import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem, retryAfter, safeToRetryUnread } from '../problems/problem.ts'
import { isLatestOnItsConnection } from './http-exchanges.ts'

/** Whether this process starts, works or stops; both listeners share it. */
export interface Lifecycle {
  phase: 'starting' | 'ready' | 'draining' | 'closing'
}

/**
 * The creates in the bulkhead. A create goes on when its caller hangs up, and the process must not exit before the create ends.
 */
export interface InFlight {
  /** Resolves when no create is in flight. */
  idle(): Promise<void>
}

export interface DrainOptions {
  readonly lifecycle: Lifecycle
}

/**
 * While closing, every answer ends its connection, and new requests are refused. A request is refused only when its body has
 * been read: a connection that is closed with unread bytes is reset, and the reset may overtake the answer.
 */
export default fp(
  async function drain(app: FastifyInstance, { lifecycle }: DrainOptions) {
    app.addHook('preValidation', (request, _reply, done) => {
      if (lifecycle.phase === 'closing') refuse(request, app.server).catch(done)
      else done()
    })
    app.addHook('onSend', (request, reply, _payload, done) => {
      if (lifecycle.phase === 'closing' && isLatestOnItsConnection(request)) reply.header('connection', 'close')
      done()
    })
  },
  { name: 'drain', dependencies: ['error-handler'] },
)

async function refuse({ headers }: FastifyRequest, server: Server): Promise<never> {
  // If the caller got the answer earlier, its next connection could reach the same listening socket.
  while (server.listening) await nextTurn()
  throw new Problem('overloaded', {
    detail: 'This instance is shutting down.',
    safeToRetry: safeToRetryUnread(headers),
    headers: retryAfter(1),
  })
}

/** How long a kept-alive connection may bring one more request. That request is refused with an answer instead of being cut. */
const lingerMs = 500

/** After the last create has ended: time for half-sent requests to arrive and for answers to leave. */
const lastBytesMs = 2000

/**
 * Stops accepting, answers the requests in flight, and closes. Node's own `server.close()` ends idle connections at once, and a
 * request that a caller is just writing to one of them is lost. So idle connections get a moment in which every answer says
 * `Connection: close`. `server.close()` also stops the time-outs of half-sent requests. Such a request would hold the process
 * for ever, so its connection is cut in the end.
 */
export async function drainServer(app: FastifyInstance, lifecycle: Lifecycle, inFlight: InFlight): Promise<void> {
  lifecycle.phase = 'closing'
  await acceptWaitingConnections(app.server)
  NetServer.prototype.close.call(app.server)
  await Promise.all([inFlight.idle(), lingerUntilNoConnections(app.server)])
  const cutting = setTimeout(() => app.server.closeAllConnections(), lastBytesMs)
  await app.close()
  clearTimeout(cutting)
}

/** Node accepts one connection in a turn of its event loop. Closing the listening socket resets the connections that still wait. */
async function acceptWaitingConnections(server: Server): Promise<void> {
  let turnsWithout = 0
  const restart = () => {
    turnsWithout = 0
  }
  server.on('connection', restart)
  for (const until = performance.now() + lingerMs; turnsWithout < 3 && performance.now() < until; turnsWithout++) {
    await nextTurn()
  }
  server.off('connection', restart)
}

async function lingerUntilNoConnections(server: Server): Promise<void> {
  const until = performance.now() + lingerMs
  while (performance.now() < until && (await countConnections(server)) > 0) await sleep(20)
}

function countConnections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((error, count) => resolve(error ? 0 : count)))
}
