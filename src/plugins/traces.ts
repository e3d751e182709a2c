/** One span for each request, and its context for what the request leads to. Registered only where there is tracing. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { outcomeOfProblem } from '../telemetry/metrics.ts'
import type { RequestTrace, Tracing } from '../telemetry/tracing.ts'
import { toRoute, toStatusCode } from './http-metrics.ts'

export interface TracesOptions {
  readonly tracing: Tracing
}

export default fp(
  async function traces(app: FastifyInstance, { tracing }: TracesOptions) {
    const ofRequest = new WeakMap<FastifyRequest, RequestTrace>()

    app.addHook('onRequest', (request, reply, done) => {
      const trace = tracing.startRequest(request.headers)
      ofRequest.set(request, trace)
      const { log } = request
      log.traceparent = trace.traceparent
      reply.raw.on('close', () => {
        const { outcome, code } = log
        trace.end({
          method: request.method,
          route: toRoute(request),
          statusCode: toStatusCode(reply),
          outcome: outcome ?? outcomeOfProblem[code as keyof typeof outcomeOfProblem],
          problem: code,
        })
      })
      trace.run(done)
    })
    // A body arrives by events of its connection, which belong to no request.
    app.addHook('preValidation', (request, _reply, done) => {
      const trace = ofRequest.get(request)
      if (trace === undefined) done()
      else trace.run(done)
    })
  },
  { name: 'traces', dependencies: ['http-metrics'] },
)
