/** Refuses requests that are unreadable or ambiguous as HTTP, before Fastify or a route sees them. */
import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { type Problem, type ProblemBody, toBody } from '../problems/problem.ts'
import { invalidRequest } from '../problems/translate.ts'
import { problemMediaType } from './error-handler.ts'
import { discardInput, endLingering } from './linger.ts'

export default fp(
  async function unreadableHttp(app: FastifyInstance) {
    leaveHeadersToUs(app)

    app.addHook('onRequest', (request, reply, done) => {
      trackExchange(request, reply)
      if (ending.has(request.raw.socket)) {
        // The connection is ending: the caller could not get an answer to this request.
        reply.hijack()
        return
      }
      requireReadableHeaders(request.raw)
      done()
    })
    app.addHook('onSend', (request, reply, _payload, done) => {
      if (!request.raw.complete && reply.getHeader('connection') === 'close') ending.add(request.raw.socket)
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

/** Short, as the caller has already been too slow. */
const shortLingerMs = 2000

const clientErrors: Record<string, { status: number; message: string; lingerMs?: number }> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: 'the header lines together are too long' },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    message: 'the request did not arrive completely in time',
    lingerMs: shortLingerMs,
  },
}

interface HttpExchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** The exchange before on this connection, while it may be unanswered. Answers leave in order, so no other must be awaited. */
  previous?: HttpExchange
}

/** The latest exchange of each connection. */
const exchanges = new WeakMap<Socket, HttpExchange>()

/** Must be called for every request on a connection, also for requests for which no hook runs. */
export function trackExchange(request: FastifyRequest, reply: FastifyReply): void {
  const { socket } = request.raw
  const previous = exchanges.get(socket)
  if (previous !== undefined) previous.previous = undefined
  exchanges.set(socket, { request, reply, previous: isAnswered(previous) ? undefined : previous })
}

function isAnswered(exchange: HttpExchange | undefined): boolean {
  return exchange === undefined || exchange.reply.raw.writableFinished
}

/** If a later request has arrived, this answer must not end the connection: the later request would get no answer. */
export function isLatestOnItsConnection(request: FastifyRequest): boolean {
  const latest = exchanges.get(request.raw.socket)
  return latest === undefined || latest.request === request
}

/** Connections that end after an answer that has not been sent yet. */
const ending = new WeakSet<Socket>()

/** The status of each answer that was written directly to the socket. */
const statusesByHand = new WeakMap<ServerResponse, number>()

export function statusByHand(response: ServerResponse): number | undefined {
  return statusesByHand.get(response)
}

/**
 * A request that Node cannot read as HTTP never reaches a handler, so its answer is written directly to the socket, after the
 * answers to earlier requests on the connection.
 */
export function answerClientError(
  error: Error & { code?: string },
  socket: Socket,
  log: FastifyBaseLogger,
  basePath = '',
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  if (ending.has(socket)) return
  const latest = exchanges.get(socket)
  const unfinished = latest?.request.raw.complete ? undefined : latest
  const hasOwnAnswer = unfinished?.reply.raw.headersSent === true
  const awaited = unfinished === undefined || hasOwnAnswer ? latest : unfinished.previous

  const end = () => {
    if (hasOwnAnswer) endLingering(socket)
    else writeByHand(error, socket, unfinished, log, basePath)
  }
  if (awaited === undefined || isAnswered(awaited)) {
    end()
    return
  }
  ending.add(socket)
  discardInput(socket)
  // Unreadable bytes after complete requests get no answer: no request of the caller waits for one.
  awaited.reply.raw.once('close', unfinished === undefined ? () => endLingering(socket) : end)
}

function writeByHand(
  error: Error & { code?: string },
  socket: Socket,
  unfinished: HttpExchange | undefined,
  log: FastifyBaseLogger,
  basePath: string,
): void {
  const { status, message, lingerMs } = clientErrors[String(error.code)] ?? {
    status: 400,
    message: 'the request is not readable as HTTP',
  }
  const body = toBody(invalidRequest('', message, { status }), basePath)
  const reqId = unfinished?.request.id ?? randomUUID()
  if (unfinished === undefined) {
    log.info({ reqId, route: 'unmatched', statusCode: status, code: body.code, err: error }, 'request')
  } else {
    statusesByHand.set(unfinished.reply.raw, status)
    unfinished.request.log.code = body.code
  }
  endLingering(socket, renderRawAnswer(body, reqId), lingerMs)
}

function renderRawAnswer(body: ProblemBody, requestId: string): string {
  const text = JSON.stringify(body)
  return [
    `HTTP/1.1 ${body.status} ${STATUS_CODES[body.status]}`,
    `Content-Type: ${problemMediaType}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    `X-Request-Id: ${requestId}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    'Connection: close',
    '',
    text,
  ].join('\r\n')
}
