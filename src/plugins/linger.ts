/**
 * A connection that is closed with unread bytes is reset, and the reset may overtake the answer. So after an answer to an incomplete
 * request the service goes on reading for a while and discards the bytes, as nginx does (`lingering_close`).
 */
import { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

const maxLingerMs = 30_000
const maxLingerBytes = 32 * 1024 * 1024

export default fp(
  async function linger(app: FastifyInstance) {
    app.addHook('onSend', (request, reply, _payload, done) => {
      lingerIfIncomplete(request, reply)
      done()
    })
  },
  { name: 'linger' },
)

/** Called directly where no hook runs: for an address that the router refuses. */
export function lingerIfIncomplete({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.complete) return
  // This caller was not told to send its body, so its next bytes may be a body or another request.
  if (raw.headers.expect !== undefined) reply.header('connection', 'close')
  const { socket } = raw
  // Node calls destroySoon to end a connection after its last answer.
  socket.destroySoon = () => {
    if (raw.complete) Socket.prototype.destroySoon.call(socket)
    else endLingering(socket)
  }
}

/** Sends the last bytes and the end. Then reads and discards until the caller ends as well, or a limit of time or size is reached. */
export function endLingering(socket: Socket, lastBytes = '', lingerMs = maxLingerMs): void {
  if (socket.destroyed) return
  discardInput(socket)
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
  socket.end(lastBytes)
  if (socket.readableEnded) Socket.prototype.destroySoon.call(socket)
}

const discarding = new WeakSet<Socket>()

/** Takes a connection from its HTTP parser: later bytes are no request. */
export function discardInput(socket: Socket): void {
  if (discarding.has(socket)) return
  discarding.add(socket)
  let bytes = 0
  socket.removeAllListeners('data').removeAllListeners('end')
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= maxLingerBytes) return
    // While an earlier answer may still be on its way, the connection must not be destroyed.
    if (socket.writableEnded) socket.destroy()
    else socket.pause()
  })
  socket.on('end', () => {
    if (socket.writableEnded) Socket.prototype.destroySoon.call(socket)
  })
  socket.resume()
}
