/** The rules that every engine follows, each in its own language: whether a row may change, and when it is asked about next. */
import type { Change, Row } from './ledger.ts'
import { correctionsOfInferredRejection, isFinal, predecessors, type Recordable, type State } from './states.ts'

/** The claim's time is over; its holder may have crashed. */
export function isOverdue({ sinceLastSendMs }: Pick<Row, 'sinceLastSendMs'>): boolean {
  return sinceLastSendMs >= 0
}

/** A conclusion of this service's own holds only for the claim that it was drawn under; the rest is FreedomPay's word. */
export function isOwnConclusion({ state, isInferred }: Change): boolean {
  return state === 'unknown' || state === 'not-created' || isInferred === true
}

/** After the end of a claim's time, until the first question: the holder may just be writing down the outcome. */
export const graceMs = 2000
/** After an outcome that is not final, until it is asked about for the first time. */
export const firstAskMs = 1000
/** What is not final after so long needs a person. */
export const attentionAfterMs = 24 * 3_600_000

/** After which times an inferred state is asked about again, since it was concluded. */
export const inferredAsksAtMs = [60_000, 600_000, 3_600_000, 86_400_000] as const

/** From a change to its first question; undefined: nothing is left to ask. Of a created client the id is still wanted. */
export function firstAskAfterMs({ state, clientId, isInferred }: Change): number | undefined {
  if (isInferred) return inferredAsksAtMs[0]
  if (state === 'created') return clientId === undefined ? firstAskMs : undefined
  return isFinal(state) ? undefined : firstAskMs
}

/** Whether a change may be made to a row: the one rule that every engine follows, in its own language. */
export function isForward(
  row: Pick<Row, 'state' | 'clientId' | 'claimToken' | 'isInferred'>,
  token: string,
  change: Change,
) {
  if (isOwnConclusion(change) && token !== row.claimToken) return false
  if ((predecessors[change.state] as readonly State[]).includes(row.state)) return true
  const { state, clientId, isInferred } = change
  const isIdTold = state === 'created' && clientId !== undefined
  if (row.state === 'created') {
    // Inferred: a person has said so, and FreedomPay itself has the last word.
    const isCorrected = row.isInferred && !isInferred && state === 'rejected'
    return isCorrected || (isIdTold && (row.isInferred || row.clientId === undefined))
  }
  const corrections: readonly Recordable[] = correctionsOfInferredRejection
  return row.state === 'rejected' && row.isInferred && !isInferred && corrections.includes(state)
}
