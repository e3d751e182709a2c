/** Requests that cannot be read as HTTP, or not as one that we take: before Fastify sees them, or before a route does. */
import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { ProblemBody } from '../problems/problem.ts'
import { invalidRequest } from '../problems/translate.ts'
import { problemMediaType } from './error-handler.ts'

export default fp(
  async function unreadableHttp(app: FastifyInstance) {
    leaveHeadersToUs(app)

    app.addHook('onRequest', (request, reply, done) => {
      exchanges.set(request.raw.socket, { request, reply })
      requireReadableHeaders(request.raw)
      done()
    })
  },
  { name: 'unreadable-http', dependencies: ['error-handler'] },
)

/** Node would answer these faults by itself, without a word. */
function leaveHeadersToUs({ server }: FastifyInstance): void {
  Object.assign(server, { requireHostHeader: false })
  server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => server.emit('request', req, res))
}

/** @throws Problem invalid-request */
function requireReadableHeaders({ httpVersion, headers }: IncomingMessage): void {
  if (httpVersion === '1.1' && headers.host === undefined) throw invalidRequest('host', 'is required')
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    throw invalidRequest('expect', 'must be 100-continue, or absent', { status: 417 })
  }
}

const clientErrors: Record<string, { status: number; message: string }> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: 'the header lines are too long together' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'the request did not arrive completely in time' },
}

interface HttpExchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** The connection ends with it. */
  isLast?: boolean
}

/** The latest on each connection. */
const exchanges = new WeakMap<Socket, HttpExchange>()

/** The status of each answer that was written to the socket past its response. */
const statusesByHand = new WeakMap<ServerResponse, number>()

export function statusByHand(response: ServerResponse): number | undefined {
  return statusesByHand.get(response)
}

/** What HTTP itself could not read never reaches a handler, so the answer is written to the socket by hand. */
export function answerClientError(error: Error & { code?: string }, socket: Socket, log: FastifyBaseLogger): void {
  const exchange = exchanges.get(socket)
  const unfinished = exchange?.request.raw.complete ? undefined : exchange
  if (error.code === 'ECONNRESET' || !socket.writable || unfinished?.reply.raw.headersSent) {
    socket.destroy()
    return
  }
  if (unfinished === undefined && exchange?.reply.raw.writableFinished === false) {
    // Only what comes behind it cannot be read. It is being worked on, and has its own answer to get first.
    if (!exchange.isLast) exchange.reply.raw.once('close', () => socket.destroy())
    exchange.isLast = true
    return
  }
  const { status, message } = clientErrors[String(error.code)] ?? {
    status: 400,
    message: 'this is not readable as HTTP',
  }
  const { body } = invalidRequest('', message, { status })
  const reqId = unfinished?.request.id ?? randomUUID()
  if (unfinished === undefined) log.info({ reqId, route: 'unmatched', statusCode: status, err: error }, 'request')
  else statusesByHand.set(unfinished.reply.raw, status)
  socket.end(renderRawAnswer(body, reqId), () => socket.destroy())
}

function renderRawAnswer(body: ProblemBody, requestId: string): string {
  const text = JSON.stringify(body)
  return [
    `HTTP/1.1 ${body.status} ${STATUS_CODES[body.status]}`,
    `Content-Type: ${problemMediaType}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    `X-Request-Id: ${requestId}`,
    'Cache-Control: no-store',
    'Connection: close',
    '',
    text,
  ].join('\r\n')
}
