/**
 * One HTTP exchange with the partner: what is known of it afterwards, and above all whether anything can have left this
 * process. Undici calls `onRequestStart` before it writes the first byte of a request to a socket, so a failure without it
 * is proof that nothing was sent; guessing that from error codes would not be (ECONNRESET happens in a TLS handshake, too).
 */
import { type Dispatcher, errors } from 'undici'

export type ExchangeFailure = 'timeout' | 'reset' | 'refused' | 'dns' | 'tls' | 'bad_body'

export type Exchange =
  | { kind: 'answered'; statusCode: number; retryAfter: string | undefined; body: string }
  | { kind: 'failed'; sent: boolean; reason: ExchangeFailure; cause: unknown }

export interface Call {
  readonly origin: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Buffer
  /** Milliseconds from now to the last byte of the answer, waiting for a connection included. */
  readonly timeoutMs: number
}

/** The documented answers take some 150 bytes, a client's cards a few more. */
const maxAnswerBytes = 256 * 1024

/** Never rejects: every way an exchange can end is a value. Redirects are not followed. */
export function exchange(dispatcher: Dispatcher, call: Call): Promise<Exchange> {
  return new Promise((resolve) => {
    let controller: Dispatcher.DispatchController | undefined
    let settled = false
    let statusCode = 0
    let retryAfter: string | undefined
    let receivedBytes = 0
    const chunks: Buffer[] = []

    function settle(result: Exchange): void {
      if (settled) return
      settled = true
      clearTimeout(timer)
      resolve(result)
    }

    function fail(reason: ExchangeFailure, cause: unknown): void {
      settle({ kind: 'failed', sent: controller !== undefined, reason, cause })
    }

    function abandon(reason: ExchangeFailure, message: string): void {
      const cause = new Error(message)
      fail(reason, cause)
      controller?.abort(cause)
    }

    const timer = setTimeout(
      () => abandon('timeout', `no complete answer within ${Math.round(call.timeoutMs)} ms`),
      call.timeoutMs,
    )

    const { origin, path, headers, body } = call
    dispatcher.dispatch(
      { origin, path, method: 'POST', headers, body },
      {
        onRequestStart(started) {
          // Given up while waiting for a connection, and said so: now nothing may be sent any more.
          if (settled) started.abort(new Error('given up before it was sent'))
          else controller = started
        },
        onResponseStart(_controller, status, answerHeaders) {
          statusCode = status
          const value = answerHeaders['retry-after']
          retryAfter = Array.isArray(value) ? value[0] : value
        },
        onResponseData(_controller, chunk) {
          receivedBytes += chunk.length
          if (receivedBytes > maxAnswerBytes) abandon('bad_body', `the answer is longer than ${maxAnswerBytes} bytes`)
          else chunks.push(chunk)
        },
        onResponseEnd() {
          settle({ kind: 'answered', statusCode, retryAfter, body: Buffer.concat(chunks).toString() })
        },
        onResponseError(_controller, error) {
          fail(controller === undefined ? reasonBeforeSending(error) : reasonAfterSending(error), error)
        },
      },
    )
  })
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** Only tells apart for metrics and logs: whatever the reason, nothing was sent. */
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
