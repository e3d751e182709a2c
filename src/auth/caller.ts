/** Callers, and the interface that verifies them. */

/** A configured or verified identity. Idempotency keys and look-ups are separate for each caller; logs and ledger rows name the caller. */
export type Caller = string

/** Every caller with AUTH=none. No credential may have this name: its owner could read creates from before AUTH was switched on. */
export const anonymousCaller = 'anonymous'

const visibleAscii = /^[\x21-\x7e]{1,255}$/

/** Without spaces and line breaks, as a name is part of log lines, of ledger keys and of the derivation of a request_id. */
export function isCallerName(name: unknown): name is Caller {
  return typeof name === 'string' && visibleAscii.test(name) && name !== anonymousCaller
}

/** The headers of the request: whether it may be sent again depends on its key. */
export type RequestHeaders = Readonly<Record<string, unknown>>

/** Verifies the caller by the bearer token of a request. */
export interface Authenticator {
  /** @throws Problem unauthenticated, forbidden, or overloaded if no decision is possible */
  authenticate(token: string, headers?: RequestHeaders): Caller | Promise<Caller>
  /** The credential in OpenAPI. */
  readonly scheme: { type: 'http'; scheme: 'bearer'; bearerFormat?: string; description: string }
  stop(): void
}
