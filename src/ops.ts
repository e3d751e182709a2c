/** The operations listener: metrics and probes. Never routed through the gateway. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify'
import type { Logger } from 'pino'
import type { Lifecycle } from './plugins/drain.ts'
import errorHandler from './plugins/error-handler.ts'
import linger from './plugins/linger.ts'
import notFound from './plugins/not-found.ts'
import schemaCompilers, { noDefaultCompilers } from './plugins/schema-compilers.ts'
import unreadableHttp from './plugins/unreadable-http.ts'
import type { Metrics } from './telemetry/metrics.ts'

export interface OpsParts {
  readonly log: Logger
  readonly metrics: Metrics
  readonly lifecycle: Lifecycle
  /** What must be there for requests to be taken, by its name in /readyz; rejects where it is not. */
  readonly checks?: Readonly<Record<string, () => Promise<unknown>>>
}

/** Shorter than the time-out of common probes, so that they get the answer and not only its absence. */
const checkTimeoutMs = 800

export async function buildOps({ log, metrics, lifecycle, checks = {} }: OpsParts): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = log
  const ops: FastifyInstance = fastify({
    loggerInstance,
    schemaController: { compilersFactory: noDefaultCompilers },
    logController: new LogController({ disableRequestLogging: true }),
    // It closes last, and a probe that stands still must not hold the process.
    forceCloseConnections: true,
  })
  await ops.register(schemaCompilers)
  await ops.register(errorHandler)
  await ops.register(linger)
  await ops.register(unreadableHttp)
  await ops.register(notFound)
  ops.addHook('onRequest', (_request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff')
    done()
  })

  ops.get('/metrics', async (_request, reply) => {
    reply.type(metrics.registry.contentType)
    return metrics.registry.metrics()
  })

  /** The event loop turns, or nobody would answer. */
  ops.get('/livez', async () => ({ status: 'ok' }))

  ops.get('/readyz', async (_request, reply) => {
    const states = await Promise.all(Object.values(checks).map(run))
    const isReady = lifecycle.phase === 'ready' && states.every((state) => state === 'ok')
    return reply.code(isReady ? 200 : 503).send({
      status: isReady ? 'ok' : 'unavailable',
      checks: {
        lifecycle: lifecycle.phase,
        ...Object.fromEntries(Object.keys(checks).map((name, i) => [name, states[i]])),
      },
    })
  })
  return ops
}

async function run(check: () => Promise<unknown>): Promise<'ok' | 'unreachable'> {
  const timeout = new AbortController()
  try {
    return await Promise.race([
      check().then(() => 'ok' as const),
      sleep(checkTimeoutMs, 'unreachable' as const, { signal: timeout.signal }),
    ])
  } catch {
    return 'unreachable'
  } finally {
    timeout.abort()
  }
}
