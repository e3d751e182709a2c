/** The operations listener: metrics and probes. Never routed through the gateway. */
import { type FastifyInstance, fastify, LogController } from 'fastify'
import type { Logger } from 'pino'
import type { Lifecycle } from './drain.ts'
import type { Metrics } from './metrics.ts'
import errorHandler from './plugins/error-handler.ts'

export interface OpsParts {
  readonly log: Logger
  readonly metrics: Metrics
  readonly lifecycle: Lifecycle
}

export async function buildOps({ log, metrics, lifecycle }: OpsParts): Promise<FastifyInstance> {
  const ops = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
  }) as unknown as FastifyInstance
  await ops.register(errorHandler)

  ops.get('/metrics', async (_request, reply) => {
    reply.type(metrics.registry.contentType)
    return metrics.registry.metrics()
  })

  /** The event loop turns, or nobody would answer. */
  ops.get('/livez', async () => ({ status: 'ok' }))

  ops.get('/readyz', async (_request, reply) => {
    const checks = { lifecycle: lifecycle.phase }
    const isReady = lifecycle.phase === 'ready'
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'unavailable', checks })
  })
  return ops
}
