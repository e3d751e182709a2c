/**
 * The ledger holds one row for each create: the request and its outcome. The row is written before the first send. A row holds
 * no personal data: only a keyed fingerprint of the body and a hash of the idempotency key.
 */
import type { InspectableLedger } from './inspection.ts'
import type { Recordable, State } from './states.ts'

export interface Row {
  readonly requestId: string
  /** UUIDv5 of the caller and the idempotency key; undefined without a key. */
  readonly keyId: string | undefined
  readonly caller: string
  /** Empty without a key. */
  readonly fingerprint: string
  readonly state: State
  readonly clientId: string | undefined
  readonly partnerCode: string | undefined
  readonly partnerDescription: string | undefined
  /** The fencing token of the latest claim. Random, not a counter: a lost write could make a counter repeat a token. */
  readonly claimToken: string
  /** The number of claims so far. */
  readonly claims: number
  /** True if a send under an earlier claim may have reached FreedomPay. */
  readonly mayHaveArrived: boolean
  /** FreedomPay has acknowledged the request, so "no such request" is not believed. */
  readonly isAcknowledged: boolean
  /**
   * True if the state was concluded from silence or a doubtful error (FreedomPay is asked again), or if an operator decided.
   */
  readonly isInferred: boolean
  /** The number of doubtful errors in a row, and the time since the first. */
  readonly doubts: number
  readonly doubtedForMs: number
  /** The number of questions since the claim ended, or since the state was inferred. */
  readonly asks: number
  /** Milliseconds since the epoch. */
  readonly updatedAtMs: number
  /** Time since the state was recorded, by the ledger's clock. */
  readonly sinceUpdateMs: number
  /** Time since the last moment at which the claim's holder may have sent; negative before the claim's deadline. */
  readonly sinceLastSendMs: number
}

export interface Claim {
  readonly requestId: string
  readonly keyId: string | undefined
  readonly caller: string
  readonly fingerprint: string
  readonly claimToken: string
  /** The duration of the claim: afterwards its holder must not send. */
  readonly deadlineMs: number
}

/** isClaimed: the row is new. Otherwise `row` is the existing row of the key. */
export interface ClaimResult {
  readonly isClaimed: boolean
  readonly row: Row
}

export interface Renewal {
  readonly requestId: string
  /** The claim is renewed only if the row still has this fencing token. */
  readonly from: string
  readonly to: string
  readonly deadlineMs: number
  /** True if a send under an earlier claim may have reached FreedomPay. The row never goes back to false. */
  readonly mayHaveArrived: boolean
}

export interface Change {
  readonly state: Recordable
  readonly clientId?: string | undefined
  readonly partnerCode?: string | undefined
  readonly partnerDescription?: string | undefined
  /** True if the state was concluded from silence or a doubtful error. */
  readonly isInferred?: boolean
  readonly isAcknowledged?: boolean
}

/** The row after a change. */
export type Recorded = Pick<
  Row,
  'requestId' | 'state' | 'clientId' | 'partnerCode' | 'partnerDescription' | 'updatedAtMs'
>

/** `was`: the state before the change; undefined: the change was refused. */
export interface RecordResult {
  readonly row: Recorded
  readonly was: State | undefined
}

/** The results of a question that did not change the state of the row. */
export interface Postponement {
  readonly requestId: string
  readonly claimToken: string
  /** Milliseconds until the next question; undefined: no question is left. */
  readonly pauseMs: number | undefined
  /** The row's `asks` at the time of `takeDue`. Another value in the row means: the row has changed since. */
  readonly takenAsks: number
  readonly asks: number
  readonly doubts: number
  readonly isAcknowledged: boolean
}

export interface LedgerStats {
  /** The number of rows that are not final and whose claim has ended. */
  readonly unresolved: number
  /** The age of the oldest unresolved row, counted from the end of its claim. */
  readonly oldestUnresolvedSeconds: number
  /** The number of unresolved rows that are older than `attentionAfterMs`. */
  readonly needsAttention: number
  /** The delay of the reconciler: the time since the oldest due question was due. */
  readonly oldestDueSeconds: number
}

/** Counts one request of a caller, for all replicas together. A window begins with the first request in it. */
export type CountForAll = (caller: string, windowMs: number) => Promise<{ count: number; endsInMs: number }>

/** Every method rejects if the ledger cannot be reached. Every step is atomic. */
export interface Ledger extends InspectableLedger {
  /** Atomic: of all concurrent claims of one key (or request_id), exactly one succeeds. */
  claim(claim: Claim): Promise<ClaimResult>
  /**
   * Atomic: claims the row under a new fencing token, if the row still has the old token and its state is sent, unknown or
   * not-created. Otherwise undefined.
   */
  renew(renewal: Renewal): Promise<Row | undefined>
  /**
   * Moves the row forward and returns the row. A change that would move the row back is refused. `claimToken` is the fencing
   * token of the claim under which the change was learnt. Undefined: the row does not exist.
   */
  record(requestId: string, claimToken: string, change: Change): Promise<RecordResult | undefined>
  find(requestId: string): Promise<Row | undefined>
  findByKey(keyId: string): Promise<Row | undefined>
  /**
   * Takes the next due rows under a lease: no other replica gets the rows for `leaseMs`. Rows without a question so far come
   * first.
   */
  takeDue(leaseMs: number, limit: number): Promise<Row[]>
  /** Plans the next question. No effect if the row has been claimed, changed or taken since. */
  postpone(postponement: Postponement): Promise<void>
  /** Deletes, in batches, rows that have been settled for longer than LEDGER_RETENTION_HOURS. Redis expires its rows itself. */
  forgetOld(): Promise<void>
  stats(): Promise<LedgerStats>
  /** Binds the ledger to one account at its first use. @throws ForeignLedgerError */
  adopt(account: string): Promise<void>
  /** `adopt` without a write. @throws ForeignLedgerError, UnusedLedgerError, OldLedgerError */
  checkOwner(account: string): Promise<void>
  /** Rejects if the ledger cannot be written. */
  probe(): Promise<void>
  /** Undefined: this engine counts no requests, so each replica counts for itself. */
  readonly countForAll?: CountForAll
  close(): Promise<void>
}

/** The ledger belongs to another account of FreedomPay. */
export class ForeignLedgerError extends Error {
  /** `owner`: the name that the ledger keeps. The name is a hash or an operator's choice, and no secret. */
  constructor(owner: string) {
    super(
      `LEDGER_URL names the ledger of another FreedomPay account; use one ledger for each account, or set LEDGER_ACCOUNT to the name that this ledger was first used with: ${JSON.stringify(owner)}`,
    )
    this.name = 'ForeignLedgerError'
  }
}

/** The ledger has no account yet, or no schema. */
export class UnusedLedgerError extends Error {
  constructor() {
    super('LEDGER_URL names a ledger that no service has used yet')
    this.name = 'UnusedLedgerError'
  }
}

/** The ledger lacks a step of the schema, and this process must not make the step. */
export class OldLedgerError extends Error {
  constructor() {
    super('LEDGER_URL names a ledger of an earlier version; use the program of the version that the service runs')
    this.name = 'OldLedgerError'
  }
}
