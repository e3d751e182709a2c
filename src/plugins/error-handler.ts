/** Everything thrown becomes one problem (RFC 9457) and, where it is a failure of ours or the partner's, one log line. */
import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyBaseLogger, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem, type ProblemBody, toBody } from '../problems/problem.ts'

export const problemMediaType = 'application/problem+json'

export interface ErrorHandlerOptions {
  /** Where the pages stand that `type` leads to. */
  readonly basePath?: string
}

export default fp(
  async function errorHandler(app: FastifyInstance, { basePath = '' }: ErrorHandlerOptions) {
    const allowedMethods = collectAllowedMethods(app)
    leaveHeadersToUs(app)

    app.setErrorHandler((error, request, reply) => answerWith(toProblem(error), request, reply, basePath))

    // Before the body is read: an unknown address is unknown whatever comes with it.
    app.addHook('onRequest', (request, reply, done) => {
      exchanges.set(request.raw.socket, { request, reply })
      requireReadableHeaders(request.raw)
      if (request.is404) throw toNoRoute(request, allowedMethods)
      done()
    })
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
  request.log.info({ method: request.method, route: 'unmatched', statusCode: problem.status }, 'request')
  return answerWith(problem, request, reply, basePath)
}

function answerWith(problem: Problem, request: FastifyRequest, reply: FastifyReply, basePath: string): FastifyReply {
  if (problem.status >= 500) {
    const level = problem.code === 'internal' ? 'error' : 'warn'
    request.log[level]({ code: problem.code, err: problem }, problem.message)
  }
  return reply.code(problem.status).headers(problem.headers).type(problemMediaType).send(toBody(problem, basePath))
}

/** Fastify's own errors, by their code; whatever is not recognised is a fault of ours, and nothing of it leaves. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const { code, statusCode } = (error ?? {}) as Partial<FastifyError>
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('body-too-large', { cause: error })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Problem('unsupported-media-type', { cause: error })
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return invalidRequest('content-length', 'must be the length of the body', { cause: error })
    case 'FST_ERR_BAD_URL':
      return invalidRequest('', 'the address cannot be decoded', { cause: error })
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return invalidRequest('', 'the address is too long', { status: statusCode, cause: error })
    default:
      // The rest of Fastify's 4xx; a caller that hangs up in the middle of its body is one of them.
      return statusCode !== undefined && statusCode >= 400 && statusCode < 500
        ? new Problem('invalid-request', { status: statusCode, cause: error })
        : new Problem('internal', { cause: error })
  }
}

function invalidRequest(pointer: string, message: string, options: { status?: number; cause?: unknown }): Problem {
  return new Problem('invalid-request', { errors: [{ pointer, message }], ...options })
}

type AllowedMethods = (path: string) => string[]

/** Which methods the routes know for a path, whether or not the router has ever heard of the method that came. */
function collectAllowedMethods(app: FastifyInstance): AllowedMethods {
  const routes = new Map<string, { pattern: RegExp; methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: toPattern(url), methods: new Set<string>() }
    for (const name of [method].flat()) route.methods.add(name)
    routes.set(url, route)
  })
  return (path) => {
    const matching = [...routes.values()].filter(({ pattern }) => pattern.test(path))
    return [...new Set(matching.flatMap(({ methods }) => [...methods]))].sort()
  }
}

/** A route's pattern as a regular expression: `:name` is one segment, `*` is the rest. */
function toPattern(url: string): RegExp {
  const escaped = url.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/:\w+/g, '[^/]+').replace(/\*/g, '.*')}$`)
}

function toNoRoute(request: FastifyRequest, allowedMethods: AllowedMethods): Problem {
  const [path = ''] = request.url.split('?', 1)
  const allow = allowedMethods(path)
  return allow.length === 0 || allow.includes(request.method)
    ? new Problem('not-found')
    : new Problem('method-not-allowed', { headers: { allow: allow.join(', ') } })
}

/** Node would answer these faults by itself, without a word. */
function leaveHeadersToUs({ server }: FastifyInstance): void {
  Object.assign(server, { requireHostHeader: false })
  server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => server.emit('request', req, res))
}

/** @throws Problem invalid-request */
function requireReadableHeaders({ httpVersion, headers }: IncomingMessage): void {
  if (httpVersion === '1.1' && headers.host === undefined) throw invalidRequest('host', 'is required', {})
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
export function answerClientError(
  error: Error & { code?: string },
  socket: Socket,
  log: FastifyBaseLogger,
  basePath = '',
): void {
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
  const body = toBody(invalidRequest('', message, { status }), basePath)
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
    'X-Content-Type-Options: nosniff',
    'Connection: close',
    '',
    text,
  ].join('\r\n')
}
