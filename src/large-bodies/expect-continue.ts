/** `Expect: 100-continue` (RFC 9110, section 10.1.1): the caller is asked for its body only after its headers were accepted. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

const waiting = new WeakMap<IncomingMessage, ServerResponse>()

/** By default Node answers `100 Continue` before the headers are checked. */
export function holdContinue(server: Server): void {
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    waiting.set(req, res)
    server.emit('request', req, res)
  })
}

export function sayContinue(payload: IncomingMessage): void {
  waiting.get(payload)?.writeContinue()
}
