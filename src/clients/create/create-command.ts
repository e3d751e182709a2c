/** One create as a caller asks for it. */
import type { CreateClient } from '../body/schema.ts'
import type { Preference } from './prefer-header.ts'

export interface CommandLog {
  /** What its lines name the create by. */
  requestId?: string | undefined
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

export interface CreateCommand {
  /** Identifies this intent in the ledger and at FreedomPay. */
  readonly requestId: string
  /** A hash of the caller and the idempotency key; undefined without a key. */
  readonly keyId: string | undefined
  readonly caller: string
  /**
   * The fingerprints of the body: with the current ledger key first, then with earlier ledger keys. Empty without an
   * idempotency key.
   */
  readonly fingerprints: readonly string[]
  readonly body: CreateClient
  /** When the request arrived, on the clock of `performance.now()`. */
  readonly arrivedAt: number
  /** The caller's `Prefer`. */
  readonly wait: Preference['wait']
  readonly log: CommandLog
}

/** Frees up to 2.7 MiB that the process would otherwise hold twice until FreedomPay answers. */
export function forgetDocument(body: CreateClient): void {
  if (body.document !== undefined) body.document = undefined
}
