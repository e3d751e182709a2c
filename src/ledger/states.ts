/** The states of a row, and which may follow which. */

/**
 * sent: claimed, and since then perhaps sent. unknown, processing: not final. created, rejected, not-created: final.
 * A state only moves forward; `predecessors` is the only place that says what forward is.
 */
export const states = ['sent', 'unknown', 'not-created', 'processing', 'rejected', 'created'] as const
export type State = (typeof states)[number]

/** A state that can be recorded; `sent` comes from a claim alone. */
export type Recordable = Exclude<State, 'sent'>

/**
 * From which states each may be reached: the ones before it. FreedomPay's word outweighs a conclusion from its silence, so it
 * corrects `not-created`; and that a client exists outweighs everything.
 */
export const predecessors = {
  unknown: ['sent'],
  'not-created': ['sent', 'unknown'],
  processing: ['sent', 'unknown', 'not-created'],
  rejected: ['sent', 'unknown', 'not-created', 'processing'],
  created: ['sent', 'unknown', 'not-created', 'processing', 'rejected'],
} as const satisfies Record<Recordable, readonly State[]>

/** What FreedomPay itself says of a request that had been called rejected because of a doubtful error. */
export const correctionsOfInferredRejection = ['processing', 'rejected'] as const satisfies readonly Recordable[]

export function isFinal(state: State): boolean {
  return state === 'created' || state === 'rejected' || state === 'not-created'
}
