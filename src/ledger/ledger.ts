/**
 * What was asked of the partner and what came of it: one row for each create, written before anything is sent. It holds no
 * personal data; the body is known by a keyed fingerprint alone.
 */

/**
 * sent: claimed, and since then perhaps sent. unknown, processing: not final. created, rejected, not-created: final.
 * A state only moves forward, and the table below is the only place that says what forward is.
 */
export const states = ['sent', 'unknown', 'not-created', 'processing', 'rejected', 'created'] as const
export type State = (typeof states)[number]

/** A state that can be recorded; `sent` comes from a claim alone. */
export type Recordable = Exclude<State, 'sent'>

/**
 * From which states each may be reached: the ones before it. What the partner said outweighs what was concluded from its
 * silence, so it may correct `not-created`; and that a client exists outweighs everything.
 */
export const predecessors = {
  unknown: ['sent'],
  'not-created': ['sent', 'unknown'],
  processing: ['sent', 'unknown', 'not-created'],
  rejected: ['sent', 'unknown', 'not-created', 'processing'],
  created: ['sent', 'unknown', 'not-created', 'processing', 'rejected'],
} as const satisfies Record<Recordable, readonly State[]>

/** Conclusions of this service's own, which hold only for the claim they were drawn under; the rest is the partner's word. */
export function isOwnConclusion(state: Recordable): boolean {
  return state === 'unknown' || state === 'not-created'
}

export function isFinal(state: State): boolean {
  return state === 'created' || state === 'rejected' || state === 'not-created'
}

/** Final, and nothing is left to ask: of a created client the id is still wanted. */
export function isSettled({ state, clientId }: Pick<Row, 'state' | 'clientId'>): boolean {
  return isFinal(state) && !(state === 'created' && clientId === undefined)
}

export interface Row {
  readonly requestId: string
  readonly caller: string
  /** Empty for a create without a key, which no other request can ever match. */
  readonly fingerprint: string
  readonly state: State
  readonly clientId: string | undefined
  readonly partnerCode: string | undefined
  readonly partnerDescription: string | undefined
  /** How often it has been claimed: tells the holder of a claim from an earlier one that came back late. */
  readonly claims: number
  /** How often it has been asked about since somebody stopped working on it. */
  readonly asks: number
  /** Milliseconds since the epoch. */
  readonly updatedAtMs: number
  /** Whether the time of whoever claimed it is over. Negative work: it may have died, and what it did must be found out. */
  readonly isOverdue: boolean
}

export interface Claim {
  readonly requestId: string
  readonly caller: string
  readonly fingerprint: string
  /** How long whoever claims it may work on it. */
  readonly deadlineMs: number
}

/** claimed: the row is new, or was `not-created` with the same fingerprint. found: it stands as `row` says. */
export interface ClaimResult {
  readonly isClaimed: boolean
  readonly row: Row
}

export interface Change {
  readonly state: Recordable
  readonly clientId?: string | undefined
  readonly partnerCode?: string | undefined
  readonly partnerDescription?: string | undefined
}

/** What a row says after a change. */
export type Recorded = Pick<
  Row,
  'requestId' | 'state' | 'clientId' | 'partnerCode' | 'partnerDescription' | 'updatedAtMs'
>

export interface UnresolvedStats {
  readonly count: number
  /** How long the oldest has been nobody's work without being final. */
  readonly oldestSeconds: number
}

/** Every method rejects where the ledger cannot be reached; nothing is ever half done. */
export interface Ledger {
  /** One atomic step: of any number of claims of one request_id at one time, one is told that it is claimed. */
  claim(claim: Claim): Promise<ClaimResult>
  /**
   * Moves the row forward and returns what it then says; a change that would move it back changes nothing.
   * `claims` names the claim that the change was learnt under.
   */
  record(requestId: string, claims: number, change: Change): Promise<Recorded | undefined>
  find(requestId: string): Promise<Row | undefined>
  /** The next row to ask the partner about, which nobody else is given for `leaseMs`. */
  takeDue(leaseMs: number): Promise<Row | undefined>
  /** When to ask about it next, where it still has to be; nothing where it has been claimed anew since `claims`. */
  postpone(requestId: string, claims: number, pauseMs: number): Promise<void>
  /** Forgets what has been final for longer than the retention, whether or not a created client's id was learnt. */
  forgetOld(): Promise<void>
  unresolved(): Promise<UnresolvedStats>
  /** Rejects where the ledger cannot be reached. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** After the end of a claim's time, until somebody else asks about it: its holder may just be writing down the outcome. */
export const graceMs = 2000
/** After an outcome that is not final, until it is asked about for the first time. */
export const firstAskMs = 1000
