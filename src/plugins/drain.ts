/** Stopping without cutting anything: what is in flight gets its real answer, and nothing new begins. */
import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Problem, retryAfter, safeToRetryUnread } from '../problems/problem.ts'
import { isLatestOnItsConnection } from './unreadable-http.ts'

/** Whether this process starts, works or stops; shared by the two listeners. */
export interface Lifecycle {
  phase: 'starting' | 'ready' | 'draining' | 'closing'
}

/**
 * Places in the bulkhead, for work that outlives its caller: a create goes on when the caller hangs up, and the process must not
 * exit before it ends.
 */
export interface InFlight {
  /** Resolves when there is none. */
  idle(): Promise<void>
}

/** How long kept-alive connections get to bring one more request, which is then told to go elsewhere instead of being cut. */
const lingerMs = 500

/** How long, after the last create has ended, a request may take to arrive completely or an answer to leave. */
const lastBytesMs = 2000

/**
 * Stops accepting, answers what is in flight, and closes. Node's own `server.close()` ends idle connections at once, and with
 * them the request that a caller is just writing to one; so they get a moment in which every answer says `Connection: close`.
 * It also stops watching over half-sent requests, which would then hold the process for ever; so those are cut in the end.
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

/** Node accepts one connection in a turn of its event loop; closing the listening socket resets those that still wait. */
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

/**
 * While closing: every answer ends its connection, and what would begin something new is refused. Only once its body has
 * been read: a connection that is closed with bytes left in it is reset, and that may overtake the answer.
 */
export function addDrainHooks(app: FastifyInstance, lifecycle: Lifecycle): void {
  async function refuse({ headers }: FastifyRequest): Promise<never> {
    // Told any earlier, a caller would come back at once and wait to be accepted again.
    while (app.server.listening) await nextTurn()
    throw new Problem('overloaded', {
      detail: 'This instance is shutting down.',
      safeToRetry: safeToRetryUnread(headers),
      headers: retryAfter(1),
    })
  }

  app.addHook('preValidation', (request, _reply, done) => {
    if (lifecycle.phase === 'closing') refuse(request).catch(done)
    else done()
  })
  app.addHook('onSend', (request, reply, _payload, done) => {
    if (lifecycle.phase === 'closing' && isLatestOnItsConnection(request)) reply.header('connection', 'close')
    done()
  })
}
