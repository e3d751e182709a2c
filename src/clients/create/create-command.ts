/** One create as a caller asks for it. */
import type { CreateClient } from '../body/schema.ts'

export interface CommandLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

export interface CreateCommand {
  /** Identifies this intent, here and at FreedomPay. */
  readonly requestId: string
  /** Of the caller and its idempotency key; undefined without a key. */
  readonly keyId: string | undefined
  readonly caller: string
  /** Of the body, by the ledger's key and then by the one before it; empty without an idempotency key. */
  readonly fingerprints: readonly string[]
  readonly body: CreateClient
  /** When the request arrived, on the clock of `performance.now()`. */
  readonly arrivedAt: number
  /** The caller's own wait for a final outcome, from the arrival of the request. */
  readonly waitMs: number | undefined
  readonly log: CommandLog
}
