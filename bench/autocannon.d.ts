/** What the bench uses of autocannon, which has no types of its own. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events'

  namespace autocannon {
    export interface Client {
      reqsMade: number
      responseMax?: number
    }

    export interface Request {
      readonly headers?: Record<string, string>
      readonly setupRequest?: (request: Request) => Request
    }

    export interface Options {
      readonly url: string | string[]
      readonly method: 'POST'
      readonly headers: Record<string, string>
      readonly body: Buffer
      readonly connections: number
      /** Seconds. */
      readonly duration: number
      /** Seconds. */
      readonly timeout: number
      /** Milliseconds. */
      readonly sampleInt: number
      readonly overallRate?: number
      readonly requests?: Request[]
      readonly setupClient: (client: Client) => void
    }

    export interface Result {
      readonly errors: number
      readonly non2xx: number
      readonly statusCodeStats: Record<string, { readonly count: number }>
    }

    export interface Tracker extends EventEmitter, PromiseLike<Result> {
      stop(): void
    }
  }

  function autocannon(options: autocannon.Options): autocannon.Tracker
  export = autocannon
}
