/** Who is calling, and how a request proves it. */

/** A configured or verified identity. It scopes idempotency keys and look-ups, and stands in log lines and ledger rows. */
export type Caller = string

/** Every caller with AUTH=none. No credential may stand for this name: it would open what was created before AUTH was on. */
export const anonymousCaller = 'anonymous'

const visibleAscii = /^[\x21-\x7e]{1,255}$/

/** Without spaces and line breaks, as a name is part of log lines, ledger keys and the name that a request_id is made from. */
export function isCallerName(name: unknown): name is Caller {
  return typeof name === 'string' && visibleAscii.test(name) && name !== anonymousCaller
}

/** Proves who is calling by the bearer token of a request. */
export interface Authenticator {
  /** @throws Problem unauthenticated, forbidden, or overloaded where no decision is possible */
  authenticate(token: string): Caller | Promise<Caller>
  /** What OpenAPI says of the credential. */
  readonly scheme: { type: 'http'; scheme: 'bearer'; bearerFormat?: string; description: string }
  stop(): void
}
