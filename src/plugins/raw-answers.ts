/** Answers that are written directly to the socket, because no handler runs for a request that Node cannot read. */
import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyBaseLogger } from 'fastify'
import { Problem, type ProblemBody, toBody } from '../problems/problem.ts'
import { invalidRequest } from '../problems/translate.ts'
import { generateRequestId, toCommonHeaders } from './common-headers.ts'
import { type OutsideOptions, problemMediaType } from './error-handler.ts'
import { endingConnections, type HttpExchange, isAnswered, latestExchange } from './http-exchanges.ts'
import { discardInput, endLingering } from './linger.ts'

/** For a caller that has already been too slow, and for a tunnel: the end of the process does not cut its connection. */
const shortLingerMs = 2000

const clientErrors: Record<string, { status: number; message: string; lingerMs?: number }> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: 'the header lines together are too long' },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    message: 'the request did not arrive completely in time',
    lingerMs: shortLingerMs,
  },
}

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
  options: OutsideOptions,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  if (endingConnections.has(socket)) return
  const latest = latestExchange(socket)
  const unfinished = latest?.request.raw.complete ? undefined : latest
  const hasOwnAnswer = unfinished?.reply.raw.headersSent === true
  const awaited = unfinished === undefined || hasOwnAnswer ? latest : unfinished.previous

  const end = () => {
    if (hasOwnAnswer) endLingering(socket)
    else writeByHand(error, socket, unfinished, log, options)
  }
  if (awaited === undefined || isAnswered(awaited)) {
    end()
    return
  }
  endingConnections.add(socket)
  discardInput(socket)
  // Unreadable bytes after complete requests get no answer: no request of the caller waits for one.
  awaited.reply.raw.once('close', unfinished === undefined ? () => endLingering(socket) : end)
}

/** Node gives the connection of a CONNECT to its listener, and closes the connection if there is none. */
export function answerTunnel(
  request: IncomingMessage,
  stream: Duplex,
  log: FastifyBaseLogger,
  { basePath, isSandbox }: OutsideOptions,
): void {
  // Node's servers give every listener a socket, unless a program brings a stream of its own.
  const socket = stream as Socket
  // Node has removed its own listener.
  socket.on('error', () => socket.destroy())
  const answer = () => {
    // The answer before has ended the connection.
    if (!socket.writable) return
    const body = toBody(new Problem('method-not-allowed'), basePath)
    const reqId = generateRequestId(request)
    log.info({ reqId, method: 'CONNECT', route: 'unmatched', statusCode: body.status, code: body.code }, 'request')
    // No address of this service is the end of a tunnel, so no method is allowed there.
    endLingering(socket, renderRawAnswer(body, { ...toCommonHeaders(reqId, isSandbox), allow: '' }), shortLingerMs)
  }
  const latest = latestExchange(socket)
  if (latest === undefined || isAnswered(latest)) answer()
  else latest.reply.raw.once('close', answer)
}

function writeByHand(
  error: Error & { code?: string },
  socket: Socket,
  unfinished: HttpExchange | undefined,
  log: FastifyBaseLogger,
  { basePath, isSandbox }: OutsideOptions,
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
  endLingering(socket, renderRawAnswer(body, toCommonHeaders(reqId, isSandbox)), lingerMs)
}

function renderRawAnswer(body: ProblemBody, headers: Record<string, string>): string {
  const text = JSON.stringify(body)
  return [
    `HTTP/1.1 ${body.status} ${STATUS_CODES[body.status]}`,
    `Content-Type: ${problemMediaType}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    'Connection: close',
    '',
    text,
  ].join('\r\n')
}
