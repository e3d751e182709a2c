/** The connections to the partner. */
import { type Dispatcher, Pool } from 'undici'

export interface DispatcherSettings {
  readonly origin: string
  readonly connectTimeoutMs: number
}

/** Kept-alive connections, TLS verified as Node does by default, redirects never followed, one request at a time on each. */
export function createDispatcher({ origin, connectTimeoutMs }: DispatcherSettings): Dispatcher {
  return new Pool(origin, {
    connect: { timeout: connectTimeoutMs },
    // A call has one time limit of its own, from start to last byte; these would be per chunk, and up to a second late.
    headersTimeout: 0,
    bodyTimeout: 0,
    // What a request's fate is when a multiplexed connection ends would be one more thing that nobody knows.
    allowH2: false,
  })
}
