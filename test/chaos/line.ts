/**
 * The line between the service and the partner, which does what lines do: it holds a create back so that questions about it
 * overtake it, loses it, loses its answer, lets a question hang, answers one with an error that
 * says nothing, and is down for a while. Faults are chosen by the seed, by what is sent and by how
 * often it was sent before, so they are the same in every run of a seed.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Agent, type Dispatcher, request } from 'undici'
import { paths } from '../../src/partner/schema.ts'
import { createRandom, type Random } from './random.ts'

export interface LineOptions {
  readonly seed: number
  /** Where the line leads to. */
  readonly target: string
  /** Request ids of the creates that are held back. */
  readonly slowRequestIds: ReadonlySet<string>
  /** Resolves once the partner has received the next create of this request_id. */
  readonly nextArrival: (requestId: string) => Promise<unknown>
}

export interface Line {
  readonly origin: string
  /** Request ids of the creates that are held back just now. */
  heldRequestIds(): string[]
  /** Nobody is there, and what is under way is cut off. */
  goDown(): Promise<void>
  comeBack(): Promise<void>
  /** Delivers what is still held back. */
  deliverAll(): Promise<void>
  close(): Promise<void>
}

interface Held {
  readonly release: () => void
  readonly isDelivered: Promise<unknown>
}

/** One call on its way. */
interface Carried {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly body: Buffer
  readonly requestId: string
  readonly random: Random
}

const lostShare = 0.02
const lostAnswerShare = 0.02
const hangingShare = 0.02
/** Never to two questions in a row: what is said of a create often enough is believed. */
const doubtShare = 0.05
const doubt = JSON.stringify({
  status: 'error',
  request_status: 'error',
  error_code: '1999',
  error_description: 'System busy (line)',
})
/**
 * A create that nobody asks about arrives late all the same: some just after its sender has stopped waiting for it, some long
 * after that.
 */
const holdsMs = [2500, 20_000] as const

export async function openLine({ seed, target, slowRequestIds, nextArrival }: LineOptions): Promise<Line> {
  const dispatcher = new Agent()
  const held = new Map<string, Held[]>()
  /** Once something got through, the rest does too. */
  const arrived = new Set<string>()
  const sends = new Map<string, number>()
  const server = createServer((req, res) => {
    carry(req, res).catch(() => res.destroy())
  })

  async function carry(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await buffer(req)
    const { request_id: requestId } = JSON.parse(body.toString()) as { request_id: string }
    const what = `${req.url} ${requestId}`
    const count = (sends.get(what) ?? 0) + 1
    sends.set(what, count)
    const random = createRandom(seed, what, count)
    const carried = { req, res, body, requestId, random }
    if (req.url === paths.add) await carryCreate(carried)
    else await carryQuestion(carried, count)
  }

  async function carryCreate({ req, res, body, requestId, random }: Carried): Promise<void> {
    if (slowRequestIds.has(requestId) && !arrived.has(requestId)) {
      await holdBack(requestId, random.pick(holdsMs))
    } else if (random.chance(lostShare)) {
      throw new Error('lost on its way')
    }
    const answer = await forward(req, res, body, nextArrival(requestId))
    if (random.chance(lostAnswerShare)) {
      await answer.body.dump()
      throw new Error('the answer is lost')
    }
    res.writeHead(answer.statusCode, toHeaders(answer))
    await pipeline(answer.body, res)
  }

  /** Until the first question about it has been answered, and not for ever. */
  async function holdBack(requestId: string, longestMs: number): Promise<void> {
    const { promise: isReleased, resolve: release } = Promise.withResolvers<void>()
    const timer = setTimeout(release, longestMs)
    held.set(requestId, [...(held.get(requestId) ?? []), { release, isDelivered: nextArrival(requestId) }])
    await isReleased
    clearTimeout(timer)
    arrived.add(requestId)
    held.delete(requestId)
  }

  async function carryQuestion({ req, res, body, requestId, random }: Carried, count: number): Promise<void> {
    const answer = await forward(req, res, body, Promise.resolve())
    const bytes = await answer.body.bytes()
    // The question has overtaken the create: its answer is true when it is given and no more when it is read.
    await release(requestId)
    if (random.chance(lostAnswerShare)) throw new Error('the answer is lost')
    if (random.chance(hangingShare)) await once(res, 'close')
    else if (count % 2 === 1 && random.chance(doubtShare)) res.writeHead(200, jsonType).end(doubt)
    else res.writeHead(answer.statusCode, toHeaders(answer)).end(bytes)
  }

  async function release(requestId: string): Promise<void> {
    const waiting = held.get(requestId) ?? []
    for (const one of waiting) one.release()
    await Promise.all(waiting.map(({ isDelivered }) => isDelivered))
  }

  /** What has left the caller arrives, even where the caller has hung up since; only the answer is then of no interest. */
  function forward(req: IncomingMessage, res: ServerResponse, body: Buffer, isArrived: Promise<unknown>) {
    const uninteresting = new AbortController()
    const isClosed = new Promise((resolve) => {
      if (res.destroyed) resolve(undefined)
      else res.once('close', resolve)
    })
    void Promise.all([isClosed, isArrived]).then(() => uninteresting.abort())
    const { 'content-type': contentType, 'x-jws-signature': signature } = req.headers
    const headers = { 'content-type': contentType, 'x-jws-signature': signature as string }
    return request(target + req.url, { dispatcher, method: 'POST', headers, body, signal: uninteresting.signal })
  }

  async function listen(port: number): Promise<string> {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  function stopListening(): Promise<void> {
    return new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }

  const origin = await listen(0)
  return {
    origin,
    heldRequestIds: () => [...held.keys()],
    goDown: stopListening,
    async comeBack() {
      await listen(Number(new URL(origin).port))
    },
    async deliverAll() {
      await Promise.all([...held.keys()].map(release))
    },
    async close() {
      await stopListening()
      await dispatcher.destroy()
    },
  }
}

const jsonType = { 'content-type': 'application/json' }

function toHeaders({ headers }: Dispatcher.ResponseData): Record<string, string> {
  const passed = ['content-type', 'content-length', 'retry-after'].filter((name) => headers[name] !== undefined)
  return Object.fromEntries(passed.map((name) => [name, String(headers[name])]))
}
