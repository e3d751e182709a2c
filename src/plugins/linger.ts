/**
 * A connection that is closed with bytes of its caller's left unread is reset, and the reset may overtake the answer. So an answer
 * that comes before its request is complete is followed by a while of reading and discarding, as nginx does (`lingering_close`).
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

/** By itself for an answer that no hook sees, as the router has refused the address. */
export function lingerIfIncomplete({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.complete) return
  // Nobody told this caller to send its body, so that it may send another request instead.
  if (raw.headers.expect !== undefined) reply.header('connection', 'close')
  const { socket } = raw
  // Node's own way of ending a connection behind its last answer.
  socket.destroySoon = () => {
    if (raw.complete) Socket.prototype.destroySoon.call(socket)
    else endLingering(socket)
  }
}

/** Sends these bytes, then the end; reads and discards until the caller ends, too, or the time or the size is over. */
export function endLingering(socket: Socket, lastBytes = '', lingerMs = maxLingerMs): void {
  if (socket.destroyed) return
  discardInput(socket)
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
  socket.end(lastBytes)
  if (socket.readableEnded) Socket.prototype.destroySoon.call(socket)
}

const discarding = new WeakSet<Socket>()

/** Takes a connection from its HTTP parser: nothing that comes from now on is a request. */
export function discardInput(socket: Socket): void {
  if (discarding.has(socket)) return
  discarding.add(socket)
  let bytes = 0
  socket.removeAllListeners('data').removeAllListeners('end')
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= maxLingerBytes) return
    // An earlier answer may still be on its way.
    if (socket.writableEnded) socket.destroy()
    else socket.pause()
  })
  socket.on('end', () => {
    if (socket.writableEnded) Socket.prototype.destroySoon.call(socket)
  })
  socket.resume()
}
