/** Refuses requests that are unreadable or ambiguous as HTTP, before Fastify or a route sees them. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Problem } from '../problems/problem.ts'
import { invalidRequest } from '../problems/translate.ts'
import { endingConnections, trackExchange } from './http-exchanges.ts'

export default fp(
  async function unreadableHttp(app: FastifyInstance) {
    leaveHeadersToUs(app)

    app.addHook('onRequest', (request, reply, done) => {
      trackExchange(request, reply)
      if (endingConnections.has(request.raw.socket)) {
        // The connection is ending: the caller could not get an answer to this request.
        reply.hijack()
        return
      }
      requireReadableHeaders(request.raw)
      done()
    })
    app.addHook('onSend', (request, reply, _payload, done) => {
      if (!request.raw.complete && reply.getHeader('connection') === 'close') endingConnections.add(request.raw.socket)
      done()
    })
  },
  { name: 'unreadable-http', dependencies: ['error-handler', 'linger'] },
)

/** Node would answer a missing Host or an unknown Expect by itself, without a problem. */
function leaveHeadersToUs({ server }: FastifyInstance): void {
  Object.assign(server, { requireHostHeader: false })
  server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => server.emit('request', req, res))
}

/**
 * Two programs in a row could disagree about the host of such a request or about the end of its body (request smuggling). So the
 * request is refused, and its connection ends (RFC 9112, sections 3.2 and 6.1).
 * @throws Problem invalid-request
 */
function requireReadableHeaders({ httpVersion, headers, rawHeaders }: IncomingMessage): void {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw ambiguous('', 'must be HTTP/1.1 or HTTP/1.0')
  if (httpVersion === '1.1' && headers.host === undefined) throw ambiguous('host', 'is required')
  if (isSentTwice('host', rawHeaders)) throw ambiguous('host', 'must be sent once')
  const coding = headers['transfer-encoding']
  if (coding !== undefined) {
    if (httpVersion === '1.0') throw ambiguous('transfer-encoding', 'is not known to HTTP/1.0')
    if (coding.toLowerCase() !== 'chunked') throw ambiguous('transfer-encoding', 'must be chunked, or absent')
  }
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    throw invalidRequest('expect', 'must be 100-continue, or absent', { status: 417 })
  }
}

function ambiguous(pointer: string, message: string): Problem {
  return invalidRequest(pointer, message, { headers: { connection: 'close' } })
}

function isSentTwice(name: string, rawHeaders: readonly string[]): boolean {
  let lines = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const line = rawHeaders[i] as string
    if (line.length === name.length && line.toLowerCase() === name) lines++
  }
  return lines > 1
}
