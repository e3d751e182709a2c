/** The connections to FreedomPay. */
import { buildConnector, type Dispatcher, Pool } from 'undici'

export interface DispatcherSettings {
  readonly origin: string
  readonly connectTimeoutMs: number
  /** How long an idle connection is kept, unless the partner's `Keep-Alive` hint says less. */
  readonly keepAliveMs: number
}

/** Keep-alive connections with one request at a time, TLS verified by Node's defaults, no redirects followed. */
export function createDispatcher({ origin, connectTimeoutMs, keepAliveMs }: DispatcherSettings): Dispatcher {
  return new Pool(origin, {
    connect: createConnector(connectTimeoutMs),
    keepAliveTimeout: keepAliveMs,
    // exchange.ts limits a call from its start to its last byte. These time-outs are per chunk, and up to a second late.
    headersTimeout: 0,
    bodyTimeout: 0,
    // When a multiplexed connection ends, the fate of its requests is unknown: one more case to handle.
    allowH2: false,
  })
}

/** Errors of reused connections: FreedomPay may have closed an idle connection at this moment. */
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
