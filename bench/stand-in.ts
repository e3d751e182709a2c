/**
 * The partner, as cheap as it can be: a process of its own that answers both calls from memory and drains bodies without
 * decoding them. It checks nothing; the bench asks it, before each load, what it was sent, and verifies that itself.
 * Driven over IPC by stand-in-process.ts.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface StandInCounts {
  readonly adds: number
  readonly statuses: number
  /** The most calls that were waiting for their answer at one moment. */
  readonly maxWaiting: number
}

export interface CapturedCall {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export type StandInCommand =
  | { readonly id: number; readonly ask: 'counts' }
  | { readonly id: number; readonly ask: 'capture'; readonly on: boolean }
  | { readonly id: number; readonly ask: 'delay'; readonly delayMs: number }

const answers = {
  add: Buffer.from(JSON.stringify({ status: 'ok', request_status: 'success', dt: new Date().toISOString() })),
  status: Buffer.from(
    JSON.stringify({ status: 'ok', request_status: 'success', dt: new Date().toISOString(), client_id: '1234567' }),
  ),
}
const headers = {
  add: { 'content-type': 'application/json', 'content-length': String(answers.add.length) },
  status: { 'content-type': 'application/json', 'content-length': String(answers.status.length) },
}

let delayMs = Number(process.env.STAND_IN_DELAY_MS ?? 0)
let captured: CapturedCall[] | undefined
const counts = { adds: 0, statuses: 0, waiting: 0, maxWaiting: 0 }

const server = createServer((request, response) => {
  const path = request.url ?? ''
  const operation = path.endsWith('/client/add') ? 'add' : 'status'
  if (captured === undefined) {
    request.resume()
  } else {
    captureCall(captured, path, request.headers, request)
  }
  request.on('end', () => {
    counts[operation === 'add' ? 'adds' : 'statuses'] += 1
    counts.waiting += 1
    counts.maxWaiting = Math.max(counts.maxWaiting, counts.waiting)
    if (delayMs === 0) answer(response, operation)
    else setTimeout(answer, delayMs, response, operation)
  })
})
// A pooled connection must not be closed under a candidate between two loads.
server.keepAliveTimeout = 0
server.requestTimeout = 0
server.headersTimeout = 0

function answer(response: ServerResponse, operation: 'add' | 'status'): void {
  counts.waiting -= 1
  response.writeHead(200, headers[operation])
  response.end(answers[operation])
}

function captureCall(
  calls: CapturedCall[],
  path: string,
  callHeaders: IncomingHttpHeaders,
  stream: NodeJS.ReadableStream,
): void {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('end', () => calls.push({ path, headers: callHeaders, body: Buffer.concat(chunks).toString() }))
}

process.on('message', (command: StandInCommand) => {
  switch (command.ask) {
    case 'counts': {
      const { adds, statuses, maxWaiting } = counts
      counts.maxWaiting = counts.waiting
      reply(command.id, { adds, statuses, maxWaiting } satisfies StandInCounts)
      break
    }
    case 'capture': {
      const calls = captured
      captured = command.on ? [] : undefined
      reply(command.id, calls ?? [])
      break
    }
    case 'delay':
      delayMs = command.delayMs
      reply(command.id, delayMs)
      break
  }
})
// The bench may be killed: its children must not outlive it.
process.on('disconnect', () => process.exit())

function reply(id: number, value: unknown): void {
  process.send?.({ id, value })
}

server.listen(0, '127.0.0.1', () => reply(0, (server.address() as AddressInfo).port))
