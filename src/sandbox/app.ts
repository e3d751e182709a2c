/**
 * FreedomPay's stand-in: the Card API as documented, with faults on request (see scenarios.ts). Uses plain node:http, because
 * the faults need the sockets. The sandbox stores request ids, client ids and times; never a phone number or a body.
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AddClientRequest, paths, StatusRequest } from '../partner/schema.ts'
import { type Credentials, createSigner, isSignedBy } from '../partner/signature.ts'
import { Compile } from '../schemas/compile.ts'
import { playAdd, playStatus, unknownRequest } from './play-scenario.ts'
import { parseBody, readBody } from './read-call.ts'
import { declineWith, failWith, type Reply, sendReply } from './replies.ts'
import { RequestBook, type SandboxClient } from './request-book.ts'
import { chooseScenario, defaultTimings, type Timings } from './scenarios.ts'

export interface SandboxOptions {
  readonly credentials: Credentials
  readonly timings?: Partial<Timings>
  /** The highest number of remembered requests. Beyond this number the oldest request is forgotten. */
  readonly maxRequests?: number
  /** True: a repeated `request_id` creates a second client. FreedomPay might do the same. */
  readonly acceptsRepeats?: boolean
  /** Called with every Card API call, before the signature is checked. */
  readonly onReceived?: (call: ReceivedCall) => void
}

export interface ReceivedCall {
  readonly path: string
  readonly body: Buffer
  readonly headers: IncomingHttpHeaders
}

export interface Sandbox {
  /** Port 0 (the default) takes a free port. Returns the origin, e.g. `http://127.0.0.1:4010`. */
  listen(port?: number, host?: string): Promise<string>
  /** Cuts open connections: calls in flight get no answer. */
  close(): Promise<void>
  /** The clients that exist now, oldest request first. */
  clients(): SandboxClient[]
}

const addClientRequest = Compile(AddClientRequest)
const statusRequest = Compile(StatusRequest)

export function buildSandbox(options: SandboxOptions): Sandbox {
  const timings = { ...defaultTimings, ...options.timings }
  const book = new RequestBook(timings, options.maxRequests ?? 100_000)
  const signByJws = createSigner('jws', () => options.credentials)
  const signByHash = createSigner('sign', () => options.credentials)
  const server = createServer(async (req, res) => sendReply(res, await answerCall(req)))

  async function answerCall(req: IncomingMessage): Promise<Reply> {
    const path = req.url ?? ''
    if (req.method === 'GET' && path === '/sandbox/clients') {
      return { kind: 'json', statusCode: 200, body: book.clients() }
    }
    if (req.method !== 'POST' || (path !== paths.add && path !== paths.status)) return failWith(404, 'Not found')

    const body = await readBody(req)
    if (body === 'hung up') return { kind: 'none' }
    if (body === 'too large') return failWith(413, 'The body is too large')
    options.onReceived?.({ path, body, headers: req.headers })

    const sign = req.headers['x-jws-signature'] === undefined ? signByHash : signByJws
    if (!isSignedBy(sign, path, body, req.headers)) return failWith(401, 'Wrong or missing signature')
    return path === paths.add ? addClient(book, body, timings, options) : tellStatus(book, body)
  }

  return {
    listen: (port = 0, host = '127.0.0.1') => listenOn(server, port, host),
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
    clients: () => book.clients(),
  }
}

function addClient(
  book: RequestBook,
  body: Buffer,
  timings: Timings,
  { acceptsRepeats }: Pick<SandboxOptions, 'acceptsRepeats'>,
): Reply {
  const input = parseBody(addClientRequest, body)
  if ('fault' in input) return declineWith('1001', input.fault)
  const { request_id: requestId, client } = input.value
  const scenario = chooseScenario(client.phone)
  const known = book.find(requestId)
  if (known !== undefined && !acceptsRepeats) {
    // The first request is not registered yet, so the sandbox must not refuse the second as a duplicate.
    if (book.stateOf(known).isHiddenBy === 'no such request') return playAdd(scenario, timings)
    return declineWith('1002', 'The request identifier is not unique')
  }
  if (scenario.add === 'answers 429 once' && book.throttle(requestId)) {
    return failWith(429, 'Too many requests (sandbox)', { 'retry-after': '1' })
  }
  if (scenario.registers !== null) book.register(requestId, scenario.registers)
  return playAdd(scenario, timings)
}

function tellStatus(book: RequestBook, body: Buffer): Reply {
  const input = parseBody(statusRequest, body)
  if ('fault' in input) return declineWith('1001', input.fault)
  const request = book.find(input.value.request_id)
  return request === undefined ? unknownRequest() : playStatus(book.ask(request), request.clientId)
}

async function listenOn(server: Server, port: number, host: string): Promise<string> {
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}
