/** `Expect: 100-continue` (RFC 9110, section 10.1.1): a caller is told to send its body only once nothing speaks against that. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

const waiting = new WeakMap<IncomingMessage, ServerResponse>()

/** Node would say `100 Continue` before anybody has looked at the headers. */
export function holdContinue(server: Server): void {
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    waiting.set(req, res)
    server.emit('request', req, res)
  })
}

export function sayContinue(payload: IncomingMessage): void {
  waiting.get(payload)?.writeContinue()
}
