/** One span for each request; calls and ledger steps of the request get its context. Registered only if tracing is on. */
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
    // The body arrives in events of the connection, outside the context of the request; so the context is set again.
    app.addHook('preValidation', (request, _reply, done) => {
      const trace = ofRequest.get(request)
      if (trace === undefined) done()
      else trace.run(done)
    })
  },
  { name: 'traces', dependencies: ['http-metrics'] },
)
