/** `Expect: 100-continue` (RFC 9110, section 10.1.1): the caller is asked for its body only after its headers were accepted. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

const waiting = new WeakMap<IncomingMessage, ServerResponse>()

export default fp(
  async function expectContinue({ server }: FastifyInstance) {
    // By default Node answers `100 Continue` before the headers are checked.
    server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
      waiting.set(req, res)
      server.emit('request', req, res)
    })
  },
  { name: 'expect-continue' },
)

export function sayContinue(payload: IncomingMessage): void {
  waiting.get(payload)?.writeContinue()
}
