/** The headers of every answer of the public listener; ops.ts sets its own. `X-Request-Id` names the request in the logs: the caller's own value, if it is well-formed. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

const wellFormed = /^[A-Za-z0-9._-]{1,64}$/

/** The caller's own id if it is well-formed, otherwise a new one. */
export function generateRequestId({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && wellFormed.test(given) ? given : randomUUID()
}

export function toCommonHeaders(requestId: string, isSandbox: boolean): Record<string, string> {
  return {
    'x-request-id': requestId,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(isSandbox ? { 'x-partner': 'sandbox' } : {}),
  }
}

export interface CommonHeadersOptions {
  /** Every answer of a service that talks to the sandbox has the header `X-Partner: sandbox`. */
  readonly isSandbox: boolean
}

export default fp(
  async function commonHeaders(app: FastifyInstance, { isSandbox }: CommonHeadersOptions) {
    app.addHook('onRequest', (request, reply, done) => {
      reply.headers(toCommonHeaders(request.id, isSandbox))
      done()
    })
  },
  { name: 'common-headers' },
)
