/** What lies between the service and the partner: undici's Dispatcher, with every way in which an exchange can go wrong. */
import { Dispatcher } from 'undici'
import type { Process } from './clock.ts'
import type { Operation, Send } from './history.ts'
import type { Reply } from './partner.ts'
import type { Form, TroubleMode } from './plan.ts'
import type { Random } from './random.ts'

export interface Wire {
  readonly replica: number
  readonly process: Process
  readonly random: Random
  readonly networkMs: number
  readonly connectTimeoutMs: number
  /** What is wrong with the partner at the moment. */
  trouble(): TroubleMode | undefined
  /** Whether the process may go on: it may die here, or stand still. */
  pass(place: string, isBefore: boolean): boolean
  /** The next call on a connection: whether, and how, the connection breaks. */
  breakage(isReused: boolean): { readonly arrives: boolean; readonly afterMs: number } | undefined
  sent(operation: Operation, requestId: string, body: string): Send
  arrived(send: Send, trouble: Form | undefined): Reply
}

const errorsBefore: Partial<Record<TroubleMode, { code: string; message: string }>> = {
  refused: { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' },
  dns: { code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND' },
  tls: { code: 'CERT_HAS_EXPIRED', message: 'certificate has expired' },
  'connect-timeout': { code: 'UND_ERR_CONNECT_TIMEOUT', message: 'Connect Timeout Error' },
}

const formsOfTrouble: Partial<Record<TroubleMode, Form>> = {
  'http-503': 'http-503',
  silence: 'silence',
  'http-429': 'http-429',
}

/** What a partner that is slow needs more. */
const slownessMs = 3_000
const dripMs = 40
const idleMs = 4_000

const idMember = '"request_id":"'

function requestIdIn(body: string): string {
  const start = body.indexOf(idMember) + idMember.length
  return body.slice(start, body.indexOf('"', start))
}

function failure({ code, message }: { code: string; message: string }): Error {
  return Object.assign(new Error(message), { code })
}

export class SimulatedDispatcher extends Dispatcher {
  private readonly wire: Wire
  /** When each idle connection was used last. */
  private idle: number[] = []

  constructor(wire: Wire) {
    super()
    this.wire = wire
  }

  override dispatch({ path, body }: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { wire } = this
    const operation: Operation = path.endsWith('/status') ? 'status' : 'add'
    if (wire.pass(operation, true)) new Conversation(this, wire, operation, String(body), handler).connect()
    return true
  }

  /** An idle connection, if there is one. */
  reuse(now: number): boolean {
    this.idle = this.idle.filter((at) => now - at < idleMs)
    return this.idle.pop() !== undefined
  }

  release(now: number): void {
    this.idle.push(now)
  }

  override close(): Promise<void>
  override close(callback: () => void): void
  override close(callback?: () => void): Promise<void> | void {
    callback?.()
    return callback === undefined ? Promise.resolve() : undefined
  }

  override destroy(): Promise<void> {
    return Promise.resolve()
  }
}

/** One request and its answer; also undici's controller of them. */
class Conversation implements Dispatcher.DispatchController {
  aborted = false
  readonly paused = false
  reason: Error | null = null
  private isOver = false
  private readonly dispatcher: SimulatedDispatcher
  private readonly wire: Wire
  private readonly operation: Operation
  private readonly body: string
  private readonly handler: Dispatcher.DispatchHandler

  constructor(
    dispatcher: SimulatedDispatcher,
    wire: Wire,
    operation: Operation,
    body: string,
    handler: Dispatcher.DispatchHandler,
  ) {
    this.dispatcher = dispatcher
    this.wire = wire
    this.operation = operation
    this.body = body
    this.handler = handler
  }

  abort(reason: Error): void {
    if (this.isOver) return
    this.aborted = true
    this.reason = reason
    this.fail(reason)
  }

  pause(): void {}
  resume(): void {}

  connect(): void {
    const { wire } = this
    const { clock } = wire.process
    const isReused = this.dispatcher.reuse(clock.now)
    const trouble = isReused ? undefined : wire.trouble()
    const error = trouble && errorsBefore[trouble]
    if (error !== undefined) {
      const afterMs = trouble === 'connect-timeout' ? wire.connectTimeoutMs : wire.random.ms(0, wire.networkMs)
      this.later(afterMs, () => this.fail(failure(error)))
      return
    }
    // Even on an idle connection undici starts a request in a turn of its own at times; a new one takes its handshakes.
    this.later(isReused ? 0 : wire.random.ms(0, 3 * wire.networkMs), () => this.start(isReused))
  }

  private start(isReused: boolean): void {
    const { wire, handler, operation, body } = this
    const { clock } = wire.process
    handler.onRequestStart?.(this, undefined)
    if (this.aborted) return
    const requestId = requestIdIn(body)
    const send = wire.sent(operation, requestId, body)
    const breakage = wire.breakage(isReused)
    if (breakage !== undefined) {
      const error = failure({ code: 'ECONNRESET', message: 'read ECONNRESET' })
      this.later(isReused ? wire.random.ms(0, 2) : breakage.afterMs, () => this.fail(error))
    }
    if (breakage?.arrives !== false) {
      // What has left arrives, whatever becomes of the process.
      clock.after(wire.random.ms(0, wire.networkMs), undefined, () => this.arrive(send))
    }
    wire.pass(operation, false)
  }

  private arrive(send: Send): void {
    const { wire } = this
    const trouble = wire.trouble()
    const reply = wire.arrived(send, trouble && formsOfTrouble[trouble])
    const afterMs = reply.afterMs + wire.random.ms(0, wire.networkMs) + (trouble === 'slow' ? slownessMs : 0)
    switch (reply.way) {
      case 'never':
        return
      case 'reset':
        this.later(afterMs, () => this.fail(failure({ code: 'ECONNRESET', message: 'read ECONNRESET' })))
        return
      case 'cut':
        this.later(afterMs, () => {
          this.begin(reply)
          this.handler.onResponseData?.(this, Buffer.from(reply.body))
          this.fail(failure({ code: 'UND_ERR_SOCKET', message: 'other side closed' }))
        })
        return
      case 'drip':
        this.later(afterMs, () => {
          this.begin(reply)
          this.drip(reply.body, send)
        })
        return
      case 'whole':
        this.later(afterMs, () => {
          this.begin(reply)
          if (reply.body !== '') this.handler.onResponseData?.(this, Buffer.from(reply.body))
          this.end(send)
        })
    }
  }

  private begin({ statusCode, headers }: Reply): void {
    this.handler.onResponseStart?.(this, statusCode, headers)
  }

  private drip(left: string, send: Send): void {
    if (left === '') {
      this.end(send)
      return
    }
    this.later(dripMs, () => {
      this.handler.onResponseData?.(this, Buffer.from(left.slice(0, 8)))
      this.drip(left.slice(8), send)
    })
  }

  private end(send: Send): void {
    if (this.isOver) return
    this.isOver = true
    const { now } = this.wire.process.clock
    send.answeredAt = now
    this.dispatcher.release(now)
    this.handler.onResponseEnd?.(this, {})
  }

  private fail(error: Error): void {
    if (this.isOver) return
    this.isOver = true
    this.handler.onResponseError?.(this, error)
  }

  /** Unless it is over by then, or the process is dead. */
  private later(afterMs: number, run: () => void): void {
    const { process } = this.wire
    process.clock.after(afterMs, process, () => {
      if (!this.isOver) run()
    })
  }
}
