/**
 * FreedomPay's stand-in: the Card API as documented, with faults on request (see scenarios.ts). Over plain node:http,
 * because the faults need the sockets. It keeps request ids, client ids and times; never a phone number or a body.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AddClientRequest, paths, StatusRequest } from '../partner/schema.ts'
import { type Credentials, createSigner, isSignedBy } from '../partner/signature.ts'
import { Compile } from '../typebox.ts'
import { declineWith, failWith, now, type Reply, sendReply } from './replies.ts'
import {
  ageAtCreation,
  type Course,
  chooseScenario,
  defaultTimings,
  type Scenario,
  type State,
  stateAt,
  type Timings,
} from './scenarios.ts'

export interface SandboxOptions {
  readonly credentials: Credentials
  readonly timings?: Partial<Timings>
  /** How many requests are remembered before the oldest is forgotten. */
  readonly maxRequests?: number
  /** Takes a repeated `request_id` and creates a second client, as FreedomPay might. */
  readonly acceptsRepeats?: boolean
  /** Sees every Card API call as it came, before its signature is checked. */
  readonly onReceived?: (call: ReceivedCall) => void
}

export interface ReceivedCall {
  readonly path: string
  readonly body: Buffer
  readonly headers: IncomingHttpHeaders
}

export interface SandboxClient {
  readonly requestId: string
  readonly clientId: string
  /** RFC 3339. */
  readonly createdAt: string
}

export interface Sandbox {
  /** Port 0, the default, takes a free one. Returns the origin, e.g. `http://127.0.0.1:4010`. */
  listen(port?: number, host?: string): Promise<string>
  /** Cuts the connections that are open; calls in flight get no answer. */
  close(): Promise<void>
  /** The clients that exist by now, oldest request first. */
  clients(): SandboxClient[]
}

interface RegisteredRequest {
  readonly requestId: string
  readonly clientId: string
  readonly registeredAtMs: number
  readonly course: Course
  questions: number
}

/** 2^53 + 1: JavaScript reads it as the number before. */
const unsafeClientId = '9007199254740993'

// Twice what a call with the largest document takes.
const maxBodyBytes = 6 * 1024 * 1024

const addClientRequest = Compile(AddClientRequest)
const statusRequest = Compile(StatusRequest)

export function buildSandbox(options: SandboxOptions): Sandbox {
  const timings = { ...defaultTimings, ...options.timings }
  const maxRequests = options.maxRequests ?? 100_000
  const signByJws = createSigner('jws', () => options.credentials)
  const signByHash = createSigner('sign', () => options.credentials)
  /** By request_id: the first of each, which a status call tells of. */
  const requests = new Map<string, RegisteredRequest>()
  /** Repetitions too, in the order in which they came. */
  const registered = new Set<RegisteredRequest>()
  const throttledRequestIds = new Set<string>()
  const server = createServer(async (req, res) => sendReply(res, await answerCall(req)))

  async function answerCall(req: IncomingMessage): Promise<Reply> {
    const path = req.url ?? ''
    if (req.method === 'GET' && path === '/sandbox/clients') return { kind: 'json', statusCode: 200, body: clients() }
    if (req.method !== 'POST' || (path !== paths.add && path !== paths.status)) return failWith(404, 'Not found')

    const body = await readBody(req)
    if (body === 'hung up') return { kind: 'none' }
    if (body === 'too large') return failWith(413, 'The body is too large')
    options.onReceived?.({ path, body, headers: req.headers })

    const sign = req.headers['x-jws-signature'] === undefined ? signByHash : signByJws
    if (!isSignedBy(sign, path, body, req.headers)) return failWith(401, 'Wrong or missing signature')
    return path === paths.add ? addClient(body) : tellStatus(body)
  }

  function addClient(body: Buffer): Reply {
    const input = parseBody(addClientRequest, body)
    if ('fault' in input) return declineWith('1001', input.fault)
    const { request_id: requestId, client } = input.value
    const scenario = chooseScenario(client.phone)
    const known = requests.get(requestId)
    if (known !== undefined && !options.acceptsRepeats) {
      // Not registered yet, so it cannot be known.
      if (stateOf(known).isHiddenBy === 'no such request') return playAdd(scenario, timings)
      return declineWith('1002', 'The request identifier is not unique')
    }
    if (scenario.add === 'answers 429 once' && !throttledRequestIds.has(requestId)) {
      throttledRequestIds.add(requestId)
      dropOldest(throttledRequestIds, maxRequests)
      return failWith(429, 'Too many requests (sandbox)', { 'retry-after': '1' })
    }
    if (scenario.registers !== null) {
      const { registers: course } = scenario
      const request = { requestId, clientId: randomUUID(), registeredAtMs: Date.now(), course, questions: 0 }
      if (known === undefined) requests.set(requestId, request)
      registered.add(request)
      dropOldest(requests, maxRequests)
      dropOldest(registered, maxRequests)
    }
    return playAdd(scenario, timings)
  }

  function tellStatus(body: Buffer): Reply {
    const input = parseBody(statusRequest, body)
    if ('fault' in input) return declineWith('1001', input.fault)
    const request = requests.get(input.value.request_id)
    if (request === undefined) return declineWith('1006', 'There is no request with this identifier')

    const isFirst = request.questions++ === 0
    const state = (isFirst ? request.course.firstQuestion : undefined) ?? stateOf(request)
    if (state.isHiddenBy === 'no such request') return declineWith('1006', 'There is no request with this identifier')
    if (state.isHiddenBy === 'html 404') return { kind: 'html', statusCode: 404 }
    if (state.tellsClientId === 'unsafe') {
      const text = JSON.stringify({ ...state.says, dt: now(), client_id: 0, cards: [] })
      return { kind: 'text', text: text.replace('"client_id":0', `"client_id":${unsafeClientId}`) }
    }
    const client = state.tellsClientId ? { client_id: request.clientId, cards: [] } : {}
    return { kind: 'json', statusCode: 200, body: { ...state.says, dt: now(), ...client } }
  }

  function stateOf({ course, registeredAtMs }: RegisteredRequest): State {
    return stateAt(course, Date.now() - registeredAtMs, timings)
  }

  function clients(): SandboxClient[] {
    const nowMs = Date.now()
    const existing: SandboxClient[] = []
    for (const { requestId, clientId, registeredAtMs, course } of registered) {
      const createdAtMs = registeredAtMs + ageAtCreation(course, timings)
      if (createdAtMs > nowMs) continue
      existing.push({ requestId, clientId, createdAt: new Date(createdAtMs).toISOString() })
    }
    return existing
  }

  return {
    async listen(port = 0, host = '127.0.0.1') {
      server.listen(port, host)
      await once(server, 'listening')
      const address = server.address() as AddressInfo
      return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
    },
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
    clients,
  }
}

/** The answer to add never holds the client's id, not even when the client exists already. */
function playAdd({ add, registers }: Scenario, { byteIntervalMs }: Timings): Reply {
  const body = { ...registers?.first.says, dt: now() }
  switch (add) {
    case 'answers':
    case 'answers 429 once':
      return { kind: 'json', statusCode: 200, body }
    case 'answers one byte at a time':
      return { kind: 'json byte by byte', body, byteIntervalMs }
    case 'answers html':
      return { kind: 'html', statusCode: 200 }
    case 'answers 401':
      return failWith(401, 'Wrong credentials (sandbox)')
    case 'answers 500':
      return failWith(500, 'Internal error (sandbox)')
    case 'answers 502':
      return failWith(502, 'Bad gateway (sandbox)')
    case 'cuts the connection':
      return { kind: 'cut connection' }
    case 'never answers':
      return { kind: 'none' }
    default:
      return add satisfies never
  }
}

/** A body over the limit is read to its end but not kept, so that the answer finds a caller who listens. */
async function readBody(req: IncomingMessage): Promise<Buffer | 'too large' | 'hung up'> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of req as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > maxBodyBytes) chunks.length = 0
      else chunks.push(chunk)
    }
  } catch {
    return 'hung up'
  }
  return length > maxBodyBytes ? 'too large' : Buffer.concat(chunks, length)
}

interface Validator<T> {
  Check(value: unknown): value is T
  Errors(value: unknown): { keyword: string; instancePath: string }[]
}

/** The fault names the first wrong member, but never one that the schema does not have: its name is the caller's text. */
function parseBody<T>(validator: Validator<T>, body: Buffer): { value: T } | { fault: string } {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch {
    return { fault: 'Wrong input: not JSON' }
  }
  if (validator.Check(value)) return { value }
  const error = validator.Errors(value).find(({ keyword }) => keyword !== 'boolean')
  return { fault: `Wrong input at ${error?.instancePath || '/'}` }
}

/** Sets and maps keep the order of insertion. */
function dropOldest<Key>(collection: Map<Key, unknown> | Set<Key>, max: number): void {
  for (const key of collection.keys()) {
    if (collection.size <= max) return
    collection.delete(key)
  }
}
