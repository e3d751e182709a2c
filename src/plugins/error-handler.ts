/** Every error becomes one problem (RFC 9457), and one log line if it is a failure of this service or of FreedomPay. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { type Problem, toBody } from '../problems/problem.ts'
import { toProblem } from '../problems/translate.ts'
import { toCommonHeaders } from './common-headers.ts'

export const problemMediaType = 'application/problem+json'

export interface ErrorHandlerOptions {
  /** The prefix of the pages that `type` leads to. */
  readonly basePath?: string
}

/** Of answers that no plugin is asked about. */
export interface OutsideOptions {
  readonly basePath: string
  readonly isSandbox: boolean
}

export default fp(
  async function errorHandler(app: FastifyInstance, { basePath = '' }: ErrorHandlerOptions) {
    app.setErrorHandler((error, request, reply) => answerWith(toProblem(error), request, reply, basePath))
  },
  { name: 'error-handler' },
)

/** For requests that the router itself refuses, for example an address that cannot be decoded: no hook runs for them. */
export function sendProblem(
  problem: Problem,
  request: FastifyRequest,
  reply: FastifyReply,
  { basePath, isSandbox }: OutsideOptions,
): FastifyReply {
  reply.headers(toCommonHeaders(request.id, isSandbox))
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
  // Fastify wants to end the connection if no parser took the body. A body that has arrived completely is no reason to.
  if (request.raw.complete) reply.removeHeader('connection')
  const body = toBody(problem, basePath)
  // The code that failed could not name the create, which may exist nevertheless.
  if (problem.code === 'internal') body.requestId ??= request.log.requestId
  return reply.code(problem.status).headers(problem.headers).type(problemMediaType).send(body)
}
