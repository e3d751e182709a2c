/** The ledger for operators: list rows, and resolve a row that the service cannot resolve. */
import type { Row } from './ledger.ts'
import { isOverdue } from './rules.ts'
import { predecessors, type State } from './states.ts'

/** The states that an operator may choose. */
export const resolvable = ['created', 'rejected', 'not-created'] as const satisfies readonly State[]
export type Resolvable = (typeof resolvable)[number]

/** The operator, the time and the reason of a decision. The row keeps the decision, also after later answers of FreedomPay. */
export interface Resolution {
  readonly by: string
  readonly why: string
  /** Milliseconds since the epoch. If `updatedAtMs` is not later, the row still holds the operator's decision. */
  readonly atMs: number
}

export interface InspectedRow extends Row {
  /** Milliseconds until the next question; negative: the question is late; undefined: no question is planned. */
  readonly nextAskInMs: number | undefined
  readonly resolution: Resolution | undefined
}

export interface RowFilter {
  readonly states: readonly State[]
  /** The minimum of `sinceLastSendMs`; undefined: no minimum. */
  readonly olderThanMs?: number | undefined
}

export interface Decision {
  readonly state: Resolvable
  /** Only for a created client. */
  readonly clientId: string | undefined
  readonly by: string
  readonly why: string
}

/** `was`: the state before the decision; undefined: the decision was refused. */
export interface ResolveResult {
  readonly row: InspectedRow
  readonly was: State | undefined
}

export interface InspectableLedger {
  /**
   * Lists rows in any order, in pages, while the service runs. A row that changes meanwhile is listed once, in its old or new
   * state.
   */
  list(filter: RowFilter): AsyncIterable<InspectedRow>
  inspect(requestId: string): Promise<InspectedRow | undefined>
  /**
   * Records an operator's decision in one atomic step, if `isResolvable` allows the decision. The row is then settled and gets
   * a new fencing token, so that no older claim can record a conclusion. The decision counts as inferred: an answer of FreedomPay
   * corrects the decision. Undefined: the row does not exist.
   */
  resolve(requestId: string, decision: Decision): Promise<ResolveResult | undefined>
  /**
   * Counts the rows that keep an operator's decision, also if FreedomPay's word has changed the row since. Reads every row, as no
   * index pays for this rare question.
   */
  countResolved(): Promise<number>
}

/**
 * An operator may move a row forward, or correct an inferred state (an earlier decision is also inferred). An operator may not
 * change a row while its claim runs, nor overrule a final answer of FreedomPay. Every engine follows this rule.
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

/** The states that are not final. Every engine has an index of these states. */
const unresolved: readonly State[] = ['sent', 'unknown', 'processing']

export function isOfUnresolved({ states }: RowFilter): boolean {
  return states.every((state) => unresolved.includes(state))
}
