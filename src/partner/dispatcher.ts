/** The connections to FreedomPay. */
import { buildConnector, type Dispatcher, Pool } from 'undici'

export interface DispatcherSettings {
  readonly origin: string
  readonly connectTimeoutMs: number
  /** How long an idle connection is kept, unless the partner's `Keep-Alive` hint says less. */
  readonly keepAliveMs: number
}

/** Kept-alive connections, TLS verified as Node does by default, redirects never followed, one request at a time on each. */
export function createDispatcher({ origin, connectTimeoutMs, keepAliveMs }: DispatcherSettings): Dispatcher {
  return new Pool(origin, {
    connect: createConnector(connectTimeoutMs),
    keepAliveTimeout: keepAliveMs,
    // A call has one time limit of its own, from start to last byte; these would be per chunk, and up to a second late.
    headersTimeout: 0,
    bodyTimeout: 0,
    // The fate of a request when a multiplexed connection ends would be one more thing that cannot be known.
    allowH2: false,
  })
}

/** Errors of connections that had brought an answer before: the partner may just have closed an idle connection. */
const staleErrors = new WeakSet<Error>()

/** Whether this error ended a reused connection before any byte of this call's answer. */
export function isStaleConnection(error: Error): boolean {
  if (staleErrors.has(error)) return true
  // undici's own error, where the other side closed without a fault.
  const { socket } = error as { socket?: { bytesRead?: number } }
  return (socket?.bytesRead ?? 0) > 0
}

function createConnector(timeoutMs: number): buildConnector.connector {
  const connect = buildConnector({ timeout: timeoutMs })
  return (options, callback) => {
    connect(options, (...result) => {
      const [, socket] = result
      socket?.on('error', (error: Error) => {
        if (socket.bytesRead > 0) staleErrors.add(error)
      })
      callback(...result)
    })
  }
}
