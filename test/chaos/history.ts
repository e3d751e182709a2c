/** What happened in a run, as the checks of promises.ts read it. All times are milliseconds since the epoch. */

/**
 * What an answer says of the client. not-sent: this request was refused before anything was sent. in-progress: somebody else
 * works on it. absent: no such request. fault: an answer that should never be given. nothing: there was no answer.
 */
export type Says =
  | 'created'
  | 'processing'
  | 'unknown'
  | 'rejected'
  | 'not-created'
  | 'not-sent'
  | 'in-progress'
  | 'absent'
  | 'fault'
  | 'nothing'

/** One exchange of a caller's with the service. */
export interface Statement {
  readonly key: string
  readonly method: 'POST' | 'GET'
  readonly startedAt: number
  readonly endedAt: number
  readonly says: Says
  /** Status and, of a problem, its code: `503 overloaded`. */
  readonly answer: string
  readonly requestId?: string | undefined
  readonly clientId?: string | undefined
}

/** A create that arrived at the partner. */
export interface Arrival {
  readonly requestId: string
  readonly phone: string
  readonly at: number
}

/** A client that exists at the partner. */
export interface ExistingClient {
  readonly requestId: string
  readonly clientId: string
  /** When the create that led to it arrived. */
  readonly registeredAt: number
  readonly createdAt: number
}

/** What the partner knows of a request in the end. */
export type Truth = 'created' | 'processing' | 'rejected' | 'no such request'

export interface KnownIntent {
  readonly key: string
  readonly requestId: string
  readonly scenario: string
  readonly phone: string
  readonly truth: Truth
}

export interface Period {
  readonly from: number
  readonly to: number
}

export interface History {
  readonly intents: readonly KnownIntent[]
  /** In no particular order; the last GET of each intent among them. */
  readonly statements: readonly Statement[]
  /** The last GET of each intent, by its key, after the reconciler had its time. */
  readonly lastReads: ReadonlyMap<string, Statement>
  readonly arrivals: readonly Arrival[]
  readonly clients: readonly ExistingClient[]
  /** `ledger_unresolved` of each replica in the end. */
  readonly unresolved: readonly number[]
  /** When the ledger was taken away on purpose. */
  readonly ledgerOutages: readonly Period[]
  /** When a replica stood still on purpose, and until it was ready again. */
  readonly standStills: readonly Period[]
  /** What was written then is lost. */
  readonly losses: readonly Period[]
  /** PARTNER_RESEND */
  readonly mayResend: boolean
  /** Where personal data was found, by the name of the log or file; never the data itself. */
  readonly leaks: readonly string[]
  /** Processes that ended, or did not end, against the plan. */
  readonly accidents: readonly string[]
}
