/** The operations listener: metrics and probes. The gateway must never route to it. */
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
  /** The prefix of the pages that `type` of a problem leads to: they are on the public listener. */
  readonly basePath?: string
  /** The dependencies of the service, by their names in /readyz. A check rejects if its dependency is away. */
  readonly checks?: Readonly<Record<string, () => Promise<unknown>>>
}

/** Shorter than the time-out of common probes, so that a probe gets an answer that names the failed check. */
const checkTimeoutMs = 800

export async function buildOps(parts: OpsParts): Promise<FastifyInstance> {
  const { log, metrics, lifecycle, basePath = '', checks = {} } = parts
  const loggerInstance: FastifyBaseLogger = log
  const ops: FastifyInstance = fastify({
    loggerInstance,
    schemaController: { compilersFactory: noDefaultCompilers },
    logController: new LogController({ disableRequestLogging: true }),
    // This listener closes last. A probe that keeps its connection open must not hold the process.
    forceCloseConnections: true,
  })
  await ops.register(schemaCompilers)
  await ops.register(errorHandler, { basePath })
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

  /** An answer is the proof: a blocked event loop could not send one. */
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
