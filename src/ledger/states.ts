/** The states of a row and their order. */

/**
 * sent: claimed, so a send may have left. unknown, processing: not final. created, rejected, not-created: final.
 * A state only moves forward. Only `predecessors` defines the order.
 */
export const states = ['sent', 'unknown', 'not-created', 'processing', 'rejected', 'created'] as const
export type State = (typeof states)[number]

/** A state that `record` can write. Only a claim sets `sent`. */
export type Recordable = Exclude<State, 'sent'>

/**
 * The states from which each state can be reached. An answer of FreedomPay corrects `not-created`, because `not-created` may be
 * concluded from silence. `created` overrules every other state.
 */
export const predecessors = {
  unknown: ['sent'],
  'not-created': ['sent', 'unknown'],
  processing: ['sent', 'unknown', 'not-created'],
  rejected: ['sent', 'unknown', 'not-created', 'processing'],
  created: ['sent', 'unknown', 'not-created', 'processing', 'rejected'],
} as const satisfies Record<Recordable, readonly State[]>

/** The states by which an answer of FreedomPay corrects a rejection that was inferred from a doubtful error. */
export const correctionsOfInferredRejection = ['processing', 'rejected'] as const satisfies readonly Recordable[]

export function isFinal(state: State): boolean {
  return state === 'created' || state === 'rejected' || state === 'not-created'
}
