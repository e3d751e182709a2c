/** The request and the reply that are under way on each connection. Answers leave a connection in the order of its requests. */
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'

export interface HttpExchange {
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

export function isAnswered(exchange: HttpExchange | undefined): boolean {
  return exchange === undefined || exchange.reply.raw.writableFinished
}

/** If a later request has arrived, this answer must not end the connection: the later request would get no answer. */
export function isLatestOnItsConnection(request: FastifyRequest): boolean {
  const latest = exchanges.get(request.raw.socket)
  return latest === undefined || latest.request === request
}

export function latestExchange(socket: Socket): HttpExchange | undefined {
  return exchanges.get(socket)
}

/** Connections that end after an answer that has not been sent yet. */
export const endingConnections = new WeakSet<Socket>()
