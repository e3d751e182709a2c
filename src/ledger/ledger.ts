/**
 * What was asked of FreedomPay and what came of it: one row for each create, written before anything is sent. A row holds no
 * personal data; the body is known by a keyed fingerprint alone, the idempotency key by a hash.
 */
import type { InspectableLedger } from './inspection.ts'
import type { Recordable, State } from './states.ts'

export interface Row {
  readonly requestId: string
  /** UUIDv5 of the caller and its idempotency key; undefined without a key. */
  readonly keyId: string | undefined
  readonly caller: string
  /** Empty without a key. */
  readonly fingerprint: string
  readonly state: State
  readonly clientId: string | undefined
  readonly partnerCode: string | undefined
  readonly partnerDescription: string | undefined
  /** The fencing token of the latest claim: random, so that no lost write can make it come again. */
  readonly claimToken: string
  /** How often the row has been claimed. */
  readonly claims: number
  /** Whether a send under an earlier claim may have reached FreedomPay. */
  readonly mayHaveArrived: boolean
  /** FreedomPay has said that it has the request, so "no such request" is not believed any more. */
  readonly isAcknowledged: boolean
  /** The state is a conclusion from silence or from a doubtful error, and is asked about again; or a person's decision. */
  readonly isInferred: boolean
  /** Doubtful errors in a row, and since when they are heard. */
  readonly doubts: number
  readonly doubtedForMs: number
  /** Questions since the claim ended, or since the state was inferred. */
  readonly asks: number
  /** Milliseconds since the epoch. */
  readonly updatedAtMs: number
  /** Since the state was recorded, by the ledger's clock. */
  readonly sinceUpdateMs: number
  /** Since the last moment at which the claim's holder may have sent; negative while it still may. */
  readonly sinceLastSendMs: number
}

export interface Claim {
  readonly requestId: string
  readonly keyId: string | undefined
  readonly caller: string
  readonly fingerprint: string
  readonly claimToken: string
  /** How long the holder may work on it. */
  readonly deadlineMs: number
}

/** claimed: the row is new. Otherwise it stands as `row` says, found by its key. */
export interface ClaimResult {
  readonly isClaimed: boolean
  readonly row: Row
}

export interface Renewal {
  readonly requestId: string
  /** The token that the row must still have. */
  readonly from: string
  readonly to: string
  readonly deadlineMs: number
  /** Whether a send under an earlier claim may have reached FreedomPay; once true it stays. */
  readonly mayHaveArrived: boolean
}

export interface Change {
  readonly state: Recordable
  readonly clientId?: string | undefined
  readonly partnerCode?: string | undefined
  readonly partnerDescription?: string | undefined
  /** Concluded from silence or from a doubtful error. */
  readonly isInferred?: boolean
  readonly isAcknowledged?: boolean
}

/** What a row says after a change. */
export type Recorded = Pick<
  Row,
  'requestId' | 'state' | 'clientId' | 'partnerCode' | 'partnerDescription' | 'updatedAtMs'
>

/** `was`: the state before the change, where the change was taken. */
export interface RecordResult {
  readonly row: Recorded
  readonly was: State | undefined
}

/** What a question about a row taught, besides a change of its state. */
export interface Postponement {
  readonly requestId: string
  readonly claimToken: string
  /** Until the next question; undefined: there is none. */
  readonly pauseMs: number | undefined
  /** The row's `asks` as it was taken: another one tells that the row has changed since. */
  readonly takenAsks: number
  readonly asks: number
  readonly doubts: number
  readonly isAcknowledged: boolean
}

export interface LedgerStats {
  /** Rows that are not final and that no request works on. */
  readonly unresolved: number
  /** Since the oldest of them was last worked on. */
  readonly oldestUnresolvedSeconds: number
  /** Of them, asked about for `attentionAfterMs` without a final answer. */
  readonly needsAttention: number
  /** How late the reconciler is with the row that is due longest. */
  readonly oldestDueSeconds: number
}

/** Every method rejects where the ledger cannot be reached; nothing is ever half done. */
export interface Ledger extends InspectableLedger {
  /** One atomic step: of any number of claims of one key (or request_id) at one time, one is told that it is claimed. */
  claim(claim: Claim): Promise<ClaimResult>
  /**
   * One atomic step: the row is claimed under a new token if it still has the old one and is sent, unknown or not-created.
   * Undefined where it is not.
   */
  renew(renewal: Renewal): Promise<Row | undefined>
  /**
   * Moves the row forward and returns what it then says; a change that would move it back changes nothing. `claimToken` names
   * the claim that the change was learnt under. Undefined where there is no such row.
   */
  record(requestId: string, claimToken: string, change: Change): Promise<RecordResult | undefined>
  find(requestId: string): Promise<Row | undefined>
  findByKey(keyId: string): Promise<Row | undefined>
  /** The next rows to ask about, which no other replica is given for `leaseMs`; those never asked about come first. */
  takeDue(leaseMs: number, limit: number): Promise<Row[]>
  /** When to ask about it next; nothing where it has been claimed, changed or taken since. */
  postpone(postponement: Postponement): Promise<void>
  /** Forgets, in batches, what has been final and settled for longer than the retention. */
  forgetOld(): Promise<void>
  stats(): Promise<LedgerStats>
  /** Binds the ledger to one account at its first use. @throws ForeignLedgerError */
  adopt(account: string): Promise<void>
  /** Rejects where the ledger cannot be written. */
  probe(): Promise<void>
  close(): Promise<void>
}

/** The ledger belongs to another account of FreedomPay. */
export class ForeignLedgerError extends Error {
  constructor() {
    super(
      'LEDGER_URL names the ledger of another FreedomPay account; use a ledger of its own, or set LEDGER_ACCOUNT to the name that this ledger was first used with',
    )
    this.name = 'ForeignLedgerError'
  }
}
