/** What happened in a world, as promises.ts reads it. Times are milliseconds of virtual time. */
import type { Preference } from '../../src/clients/create/prefer-header.ts'
import type { Form, Plan } from './plan.ts'

export type Operation = 'add' | 'status'

/** What an answer of the service says of the client. cut: there was none, as the process died. */
export type Says =
  | 'created'
  | 'processing'
  | 'unknown'
  | 'rejected'
  | 'not-created'
  | 'problem'
  | 'not-found'
  | 'fault'
  | 'cut'

export interface Answer {
  readonly says: Says
  /** Of a problem. */
  readonly code?: string | undefined
  readonly safeToRetry?: string | undefined
  readonly requestId?: string | undefined
  readonly clientId?: string | undefined
  readonly idempotencyStatus?: string | undefined
  readonly retryAfterMs?: number | undefined
  /** Of a fault of ours. */
  readonly error?: string | undefined
}

/** One exchange of a caller's with the service. */
export interface Statement extends Answer {
  readonly number: number
  readonly method: 'POST' | 'GET'
  readonly replica: number
  readonly intent: number
  readonly key: string | undefined
  readonly wait: Preference['wait']
  readonly startedAt: number
  /** Infinity where the answer never came. */
  readonly at: number
}

/** The first byte of a call to the partner has left. */
export interface Send {
  readonly at: number
  readonly replica: number
  readonly operation: Operation
  readonly requestId: string
  readonly phone: number
  arrivedAt: number | undefined
  /** How the partner meant to answer. */
  form: Form | undefined
  /** The words of its answer: `ok+success`. */
  words: string
  /** When the whole answer was there, in the process; undefined where it never was. */
  answeredAt: number | undefined
}

/** A request that the partner has registered, or will have by `registeredAt`. */
export interface Registration {
  readonly requestId: string
  readonly phone: number
  readonly clientId: string
  readonly sentAt: number
  registeredAt: number
  /** When the client comes into being; Infinity where it never does. */
  createdAt: number
  readonly forgottenAt: number
}

/** Something that was done to the world, in words. */
export interface Incident {
  readonly at: number
  readonly text: string
}

/** The ledger has given a claim, new or renewed. */
export interface ClaimGiven {
  readonly at: number
  readonly replica: number
  readonly requestId: string
  /** Until when its holder may send. */
  readonly until: number
}

export interface RowChange {
  readonly at: number
  readonly requestId: string
  readonly from: string
  readonly to: string
}

export interface History {
  readonly plan: Plan
  readonly statements: Statement[]
  readonly sends: Send[]
  readonly registrations: Registration[]
  readonly incidents: Incident[]
  readonly changes: RowChange[]
  readonly claims: ClaimGiven[]
  /** When the ledger lost rows. */
  readonly losses: number[]
  /** When a replica, or the ledger, did not turn: from, to. */
  readonly stalls: { readonly replica: number; readonly from: number; readonly to: number }[]
  /** Asked at the end, one for each request_id that was ever told or sent. */
  readonly lastReads: Statement[]
  /** What is left where nothing may be: timers, places. */
  readonly leftovers: string[]
  /** What was visited: rows of the outcome table, transitions, fault and phase. */
  readonly visited: Set<string>
  endedAt: number
}
