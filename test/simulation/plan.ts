/** Everything that a world is made of, as data: drawn from a seed, run, and made smaller where it broke a promise. */
import type { Preference } from '../../src/clients/create/prefer-header.ts'

/** The settings of the service that are drawn. */
export interface Settings {
  readonly scheme: 'jws' | 'sign'
  readonly deadlineMs: number
  readonly waitMs: number
  readonly connectTimeoutMs: number
  readonly timeoutMs: number
  readonly settleMs: number
  readonly absentMs: number
  readonly doubtMs: number
  readonly resends: boolean
  readonly places: number
  readonly waiting: number
  readonly concurrency: number
  readonly retentionMs: number
}

/** How the partner answers one call. `truth`: as it is. All others are disturbances. */
export type Form =
  | 'truth'
  | 'http-500'
  | 'http-503'
  | 'html-200'
  | 'html-404'
  | 'json-404'
  | 'http-400'
  | 'http-401'
  | 'http-403'
  | 'http-429'
  | 'http-202'
  | 'http-302'
  | 'empty'
  | 'truncated'
  | 'reset'
  | 'silence'
  | 'drip'
  | 'huge'
  | 'unknown-word'
  | 'unknown-status'
  | 'missing-member'
  | 'ok-error'
  | 'error-error'
  | 'error-alone'
  | 'duplicate'
  | 'unsafe-id'
  | 'blank-id'
  | 'long-id'
  | 'control-id'
  | 'no-id'

export interface Step {
  readonly form: Form
  /** Whether a create that is answered so is registered all the same. */
  readonly acts: boolean
  /** Until the partner acts, and until it answers. */
  readonly delayMs: number
}

export type Fate = 'created' | 'process-created' | 'process-rejected' | 'process-forever' | 'refused'

/** What the partner does with one person's request. */
export interface Course {
  readonly fate: Fate
  /** From the registration to the decision, for the fates that begin with `process`. */
  readonly decidesAfterMs: number
  /** From the arrival of the create to its registration; until then the partner does not know it. */
  readonly registersAfterMs: number
  /** From the registration on it does not know it any more; undefined: it never forgets. */
  readonly forgetsAfterMs: number | undefined
  /** The first answers to creates, then to questions; after them the truth. */
  readonly adds: readonly Step[]
  readonly asks: readonly Step[]
}

/** One person that a caller wants to be a client. */
export interface Intent {
  readonly caller: string
  readonly key: string | undefined
  readonly phone: number
  readonly course: Course
}

export type Habit = 'leaves' | 'repeats' | 'takes-a-new-key' | 'reads'

/** A caller's request, and what the caller does after the answer. */
export interface Call {
  readonly at: number
  readonly intent: number
  readonly replica: number
  readonly wait: Preference['wait']
  readonly habit: Habit
  readonly tries: number
  readonly pauseMs: number
}

/** acts-late: the call fails, and acts some seconds afterwards. */
export type LedgerMode = 'fails-before' | 'fails-after' | 'acts-late' | 'stalls' | 'full'
export type TroubleMode = 'refused' | 'dns' | 'tls' | 'connect-timeout' | 'http-503' | 'silence' | 'slow' | 'http-429'
/** Where a process may be: at a call of the ledger's or of the partner's. */
export type Place = string

export type Fault =
  | {
      readonly kind: 'death'
      readonly replica: number
      readonly place: Place
      readonly nth: number
      readonly isBefore: boolean
      readonly downMs: number
    }
  | { readonly kind: 'death-at'; readonly replica: number; readonly at: number; readonly downMs: number }
  | {
      readonly kind: 'freeze'
      readonly replica: number
      readonly place: Place
      readonly nth: number
      readonly forMs: number
      readonly isInputFirst: boolean
    }
  | { readonly kind: 'wall-clock'; readonly replica: number; readonly at: number; readonly byMs: number }
  | { readonly kind: 'ledger'; readonly mode: LedgerMode; readonly from: number; readonly forMs: number }
  | {
      readonly kind: 'ledger-call'
      readonly mode: LedgerMode
      readonly place: Place
      readonly nth: number
      readonly forMs: number
    }
  | { readonly kind: 'ledger-loses'; readonly at: number; readonly lastMs: number }
  | { readonly kind: 'trouble'; readonly mode: TroubleMode; readonly from: number; readonly forMs: number }
  | { readonly kind: 'stale'; readonly nth: number; readonly arrives: boolean }
  | { readonly kind: 'cut'; readonly nth: number; readonly arrives: boolean; readonly afterMs: number }

export type Repeats = 'refuses' | 'refuses-oddly' | 'accepts' | 'answers-again'

export interface Plan {
  readonly seed: number
  readonly settings: Settings
  readonly replicas: number
  /** One way of each call, of the ledger and of the partner, at most. */
  readonly ledgerMs: number
  readonly networkMs: number
  readonly repeats: Repeats
  readonly intents: readonly Intent[]
  readonly calls: readonly Call[]
  readonly faults: readonly Fault[]
  /** From here on nothing new goes wrong. */
  readonly faultsEndAt: number
  /** How long the world then has to come to rest. */
  readonly restMs: number
}
