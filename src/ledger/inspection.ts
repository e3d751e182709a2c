/** What a person needs of the ledger beyond what the service needs: to look at rows, and to settle one that no machine can. */
import type { Row } from './ledger.ts'
import { isOverdue } from './rules.ts'
import { predecessors, type State } from './states.ts'

/** The states that a person may decide for. */
export const resolvable = ['created', 'rejected', 'not-created'] as const satisfies readonly State[]
export type Resolvable = (typeof resolvable)[number]

/** Who decided, when, and why. It stays in the row whatever FreedomPay says later. */
export interface Resolution {
  readonly by: string
  readonly why: string
  /** Milliseconds since the epoch. A row that has not changed since (`updatedAtMs`) says what the person said. */
  readonly atMs: number
}

export interface InspectedRow extends Row {
  /** Until the next question; negative where it is late; undefined: there is none. */
  readonly nextAskInMs: number | undefined
  readonly resolution: Resolution | undefined
}

export interface RowFilter {
  readonly states: readonly State[]
  /** The least time since the last moment at which a send may have left (`sinceLastSendMs`); undefined: any. */
  readonly olderThanMs?: number | undefined
}

export interface Decision {
  readonly state: Resolvable
  /** Of a created client. */
  readonly clientId: string | undefined
  readonly by: string
  readonly why: string
}

/** `was`: the state before, where the decision was taken. */
export interface ResolveResult {
  readonly row: InspectedRow
  readonly was: State | undefined
}

export interface InspectableLedger {
  /** In any order, read in pages while the service goes on; a row that changes meanwhile comes once, as it was or as it is. */
  list(filter: RowFilter): AsyncIterable<InspectedRow>
  inspect(requestId: string): Promise<InspectedRow | undefined>
  /**
   * One atomic step: a person's decision, where `isResolvable` allows it. The row is then settled, under a new claim token, so
   * that no older claim draws a conclusion any more. It counts as inferred: FreedomPay's own word corrects it. Undefined where there is no such row.
   */
  resolve(requestId: string, decision: Decision): Promise<ResolveResult | undefined>
}

/**
 * Whether a person may decide so: forward, or to correct what was inferred, which an earlier decision is, too. Never while a
 * request works on the row, and never against FreedomPay's own final word. The one rule that every engine follows.
 */
export function isResolvable(
  row: Pick<Row, 'state' | 'clientId' | 'isInferred' | 'sinceLastSendMs'>,
  { state }: Pick<Decision, 'state'>,
): boolean {
  if (row.state === 'sent' && !isOverdue(row)) return false
  if (row.isInferred) return true
  if (row.state === 'created') return state === 'created' && row.clientId === undefined
  return (predecessors[state] as readonly State[]).includes(row.state)
}

export function matches(row: Row, { states, olderThanMs = -Infinity }: RowFilter): boolean {
  return states.includes(row.state) && row.sinceLastSendMs >= olderThanMs
}

/** The states of which every engine has an index: what is not final. */
const unresolved: readonly State[] = ['sent', 'unknown', 'processing']

export function isOfUnresolved({ states }: RowFilter): boolean {
  return states.every((state) => unresolved.includes(state))
}
