/** Who is who in the logs: `X-Request-Id` in, checked, and out again on every answer. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

const wellFormed = /^[A-Za-z0-9._-]{1,64}$/

/** The caller's own id where it is well-formed, a new one otherwise. */
export function generateRequestId({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && wellFormed.test(given) ? given : randomUUID()
}

/** The trace id of a W3C `traceparent` header (https://www.w3.org/TR/trace-context/), for the log; undefined when malformed. */
export function parseTraceId(traceparent: unknown): string | undefined {
  if (typeof traceparent !== 'string') return undefined
  const traceId = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/.exec(traceparent)?.[1]
  return traceId === undefined || /^0{32}$/.test(traceId) ? undefined : traceId
}

export interface RequestIdOptions {
  /** Said on every answer of a service that talks to the sandbox. */
  readonly isSandbox: boolean
}

export default fp(
  async function requestId(app: FastifyInstance, { isSandbox }: RequestIdOptions) {
    app.addHook('onRequest', (request, reply, done) => {
      reply.header('x-request-id', request.id)
      reply.header('cache-control', 'no-store')
      reply.header('x-content-type-options', 'nosniff')
      if (isSandbox) reply.header('x-partner', 'sandbox')
      done()
    })
  },
  { name: 'request-id' },
)
