/** Requests that cannot be read as HTTP, or not as one that we take: before Fastify sees them, or before a route does. */
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
        // Nobody would hear what becomes of it.
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

/** Node would answer these faults by itself, without a word. */
function leaveHeadersToUs({ server }: FastifyInstance): void {
  Object.assign(server, { requireHostHeader: false })
  server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => server.emit('request', req, res))
}

/**
 * Where two programs in a row may disagree about who is meant, or where a body ends, the request is refused, and its connection
 * ends (RFC 9112, sections 3.2 and 6.1).
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

/** A caller that was too slow is not waited for as long again. */
const shortLingerMs = 2000

const clientErrors: Record<string, { status: number; message: string; lingerMs?: number }> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: 'the header lines are too long together' },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    message: 'the request did not arrive completely in time',
    lingerMs: shortLingerMs,
  },
}

interface HttpExchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** The one before on the connection, while it may be unanswered. Answers leave in order, so it is the last to wait for. */
  previous?: HttpExchange
}

/** The latest on each connection. */
const exchanges = new WeakMap<Socket, HttpExchange>()

/** Must hear of every request on a connection, also of those for which no hook runs. */
export function trackExchange(request: FastifyRequest, reply: FastifyReply): void {
  const { socket } = request.raw
  const previous = exchanges.get(socket)
  if (previous !== undefined) previous.previous = undefined
  exchanges.set(socket, { request, reply, previous: isAnswered(previous) ? undefined : previous })
}

function isAnswered(exchange: HttpExchange | undefined): boolean {
  return exchange === undefined || exchange.reply.raw.writableFinished
}

/** Whether no other request has arrived behind this one; an answer that ends the connection would take theirs away. */
export function isLatestOnItsConnection(request: FastifyRequest): boolean {
  const latest = exchanges.get(request.raw.socket)
  return latest === undefined || latest.request === request
}

/** Connections that end behind an answer that is still to come. */
const ending = new WeakSet<Socket>()

/** The status of each answer that was written to the socket past its response. */
const statusesByHand = new WeakMap<ServerResponse, number>()

export function statusByHand(response: ServerResponse): number | undefined {
  return statusesByHand.get(response)
}

/**
 * What HTTP itself could not read never reaches a handler, so the answer is written to the socket by hand: behind those that
 * earlier requests on the connection have still to get.
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
  // What comes behind whole requests and is none has nobody who waits for an answer to it.
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
    message: 'this is not readable as HTTP',
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
