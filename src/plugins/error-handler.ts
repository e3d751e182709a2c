/** Everything thrown becomes one problem (RFC 9457) and, where it is a failure of ours or the partner's, one log line. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { type Problem, toBody } from '../problems/problem.ts'
import { toProblem } from '../problems/translate.ts'

export const problemMediaType = 'application/problem+json'

export interface ErrorHandlerOptions {
  /** Where the pages stand that `type` leads to. */
  readonly basePath?: string
}

export default fp(
  async function errorHandler(app: FastifyInstance, { basePath = '' }: ErrorHandlerOptions) {
    app.setErrorHandler((error, request, reply) => answerWith(toProblem(error), request, reply, basePath))
  },
  { name: 'error-handler' },
)

/** For what the router itself refuses, such as an address that cannot be decoded: no hook runs for it. */
export function sendProblem(
  problem: Problem,
  request: FastifyRequest,
  reply: FastifyReply,
  basePath = '',
): FastifyReply {
  reply.headers({ 'x-request-id': request.id, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  request.log.info(
    { method: request.method, route: 'unmatched', statusCode: problem.status, code: problem.code },
    'request',
  )
  return answerWith(problem, request, reply, basePath)
}

function answerWith(problem: Problem, request: FastifyRequest, reply: FastifyReply, basePath: string): FastifyReply {
  request.log.code = problem.code
  if (problem.status >= 500) {
    const level = problem.code === 'internal' ? 'error' : 'warn'
    request.log[level]({ code: problem.code, err: problem }, problem.message)
  }
  // Fastify ends the connection of a body that no parser took, though nothing of it is left to arrive.
  if (request.raw.complete) reply.removeHeader('connection')
  return reply.code(problem.status).headers(problem.headers).type(problemMediaType).send(toBody(problem, basePath))
}
