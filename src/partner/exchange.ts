/**
 * One HTTP exchange with FreedomPay, and its result: above all, whether a byte can have left this
 * process. Undici calls `onRequestStart` before it writes the first byte of a request to a socket, so a failure without it
 * is proof that nothing was sent; guessing that from error codes would not be (ECONNRESET happens in a TLS handshake, too).
 */
import type { IncomingHttpHeaders } from 'node:http'
import { type Dispatcher, errors } from 'undici'
import { isStaleConnection } from './dispatcher.ts'

export type ExchangeFailure = 'timeout' | 'reset' | 'refused' | 'dns' | 'tls' | 'bad_body'

export type Exchange =
  | { kind: 'answered'; statusCode: number; retryAfter: string | undefined; body: string }
  | { kind: 'failed'; sent: boolean; reason: ExchangeFailure; cause: unknown; isOurDoing?: boolean }

export interface Call {
  readonly origin: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Buffer
  /** Milliseconds from now to the last byte of the answer, waiting for a connection included. */
  readonly timeoutMs: number
  /** The deadline of the create is shorter than the time that a call may take. */
  readonly isCutShort: boolean
}

/** The documented answers take some 150 bytes, a client's cards a few more. */
const maxAnswerBytes = 256 * 1024

/** Never rejects: every end of an exchange is a value. Redirects are not followed. */
export function exchange(dispatcher: Dispatcher, call: Call): Promise<Exchange> {
  const { origin, path, headers, body } = call
  return new Promise((resolve) => {
    dispatcher.dispatch({ origin, path, method: 'POST', headers, body }, new PendingExchange(call, resolve))
  })
}

/** The state of an exchange in progress. One object without closures, as every create makes two of them. */
class PendingExchange implements Dispatcher.DispatchHandler {
  private readonly timeoutMs: number
  private readonly isCutShort: boolean
  private readonly endsAt: number
  private readonly timer: NodeJS.Timeout
  private readonly resolve: (exchange: Exchange) => void
  private settled = false
  private controller: Dispatcher.DispatchController | undefined
  private statusCode = 0
  private retryAfter: string | undefined
  private receivedBytes = 0
  /** Nearly always one. */
  private readonly chunks: Buffer[] = []

  constructor({ timeoutMs, isCutShort }: Call, resolve: (exchange: Exchange) => void) {
    this.timeoutMs = timeoutMs
    this.isCutShort = isCutShort
    this.endsAt = performance.now() + timeoutMs
    this.resolve = resolve
    this.timer = setTimeout(timeOut, timeoutMs, this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // In a process that stood still this runs before the timer. After the deadline nothing must be sent any more.
    if (!this.settled && performance.now() >= this.endsAt) this.timeOut()
    // Given up while waiting for a connection.
    if (this.settled) controller.abort(new Error('given up before it was sent'))
    else this.controller = controller
  }

  onResponseStart(_controller: Dispatcher.DispatchController, statusCode: number, headers: IncomingHttpHeaders): void {
    this.statusCode = statusCode
    const value = headers['retry-after']
    this.retryAfter = Array.isArray(value) ? value[0] : value
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.receivedBytes += chunk.length
    if (this.receivedBytes > maxAnswerBytes) {
      this.abandon('bad_body', `the answer is longer than ${maxAnswerBytes} bytes`)
    } else {
      this.chunks.push(chunk)
    }
  }

  onResponseEnd(): void {
    const { statusCode, retryAfter, chunks } = this
    const [first] = chunks
    const body = first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks)
    this.settle({ kind: 'answered', statusCode, retryAfter, body: body.toString() })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const isSent = this.controller !== undefined
    const isStale = isSent && this.statusCode === 0 && isStaleConnection(error)
    this.fail(isSent ? reasonAfterSending(error) : reasonBeforeSending(error), error, isStale)
  }

  timeOut(): void {
    this.abandon('timeout', `no complete answer within ${Math.round(this.timeoutMs)} ms`, this.isCutShort)
  }

  private settle(result: Exchange): void {
    if (this.settled) return
    this.settled = true
    clearTimeout(this.timer)
    this.resolve(result)
  }

  private fail(reason: ExchangeFailure, cause: unknown, isOurDoing: boolean): void {
    const whose = isOurDoing ? { isOurDoing } : {}
    this.settle({ kind: 'failed', sent: this.controller !== undefined, reason, cause, ...whose })
  }

  private abandon(reason: ExchangeFailure, message: string, isOurDoing = false): void {
    const cause = new Error(message)
    this.fail(reason, cause, isOurDoing)
    this.controller?.abort(cause)
  }
}

function timeOut(pending: PendingExchange): void {
  pending.timeOut()
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** For metrics and logs only: nothing was sent, for each of these reasons. */
function reasonBeforeSending(error: Error): ExchangeFailure {
  const code = codeOf(error)
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return 'timeout'
  if (code === 'ENOTFOUND' || code.startsWith('EAI_')) return 'dns'
  if (/CERT|TLS|SSL|EPROTO|UNABLE_TO|SELF_SIGNED/.test(code) || /TLS/.test(error.message)) return 'tls'
  return 'refused'
}

function reasonAfterSending(error: Error): ExchangeFailure {
  const code = codeOf(error)
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT' || code === 'ETIMEDOUT') return 'timeout'
  return error instanceof errors.HTTPParserError || code === 'UND_ERR_HEADERS_OVERFLOW' ? 'bad_body' : 'reset'
}
