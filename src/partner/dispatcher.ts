/** The connections to the partner. */
import { type Dispatcher, Pool } from 'undici'

export interface DispatcherSettings {
  readonly origin: string
  readonly connectTimeoutMs: number
  /** The longest call; the per-chunk time-outs here are only a backstop behind the caller's own. */
  readonly callTimeoutMs: number
}

/** Kept-alive connections, TLS verified as Node does by default, redirects never followed, one request at a time on each. */
export function createDispatcher({ origin, connectTimeoutMs, callTimeoutMs }: DispatcherSettings): Dispatcher {
  return new Pool(origin, {
    connect: { timeout: connectTimeoutMs },
    headersTimeout: callTimeoutMs + 1000,
    bodyTimeout: callTimeoutMs + 1000,
    // What a request's fate is when a multiplexed connection ends would be one more thing that nobody knows.
    allowH2: false,
  })
}
