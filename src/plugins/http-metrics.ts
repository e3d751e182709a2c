/** One histogram observation and one log line for each request, whether it was answered or the caller hung up. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { anonymousCaller } from '../auth/caller.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { statusByHand } from './raw-answers.ts'

export interface HttpMetricsOptions {
  readonly metrics: Pick<Metrics, 'observeHttpRequest' | 'countCaller'>
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The answer is a stream: its reader leaves at any time, and has not hung up before the end. */
    hasNoEnd?: boolean
  }
}

/** nginx's number for "client closed request"; it stands in logs and metrics only. */
const hungUpStatusCode = 499

/** The status that the caller got. */
export function toStatusCode(reply: FastifyReply): number {
  const { raw } = reply
  const isAnswered = raw.writableFinished || (reply.routeOptions.config.hasNoEnd === true && raw.headersSent)
  return statusByHand(raw) ?? (isAnswered ? reply.statusCode : hungUpStatusCode)
}

/** The common methods. Any other method is the word of its caller, and would be a series of its own. */
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

function toMethodLabel(method: string): string {
  return methods.has(method) ? method : 'other'
}

/** The pattern of the route: an address may hold ids. */
export function toRoute({ is404, routeOptions }: FastifyRequest): string {
  return (is404 ? undefined : routeOptions.url) ?? 'unmatched'
}

export default fp(
  async function httpMetrics(app: FastifyInstance, { metrics }: HttpMetricsOptions) {
    function record(request: FastifyRequest, reply: FastifyReply): void {
      const { method } = request
      const statusCode = toStatusCode(reply)
      const route = toRoute(request)
      const ms = reply.elapsedTime
      metrics.observeHttpRequest({ method: toMethodLabel(method), route, status_code: statusCode }, ms / 1000)
      if (request.caller && request.caller !== anonymousCaller) metrics.countCaller(request.caller, statusCode)
      request.log.summarise?.(
        {
          method,
          route,
          statusCode,
          durationMs: Math.round(ms * 10) / 10,
        },
        statusCode === hungUpStatusCode ? 'caller hung up' : 'request',
      )
    }

    // Fastify's onResponse does not run if the caller hung up; `close` always comes.
    app.addHook('onRequest', (request, reply, done) => {
      reply.raw.on('close', () => record(request, reply))
      done()
    })
  },
  { name: 'http-metrics', dependencies: ['common-headers'] },
)
