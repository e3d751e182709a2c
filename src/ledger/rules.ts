/** The rules for changes of a row and for the next question. Every engine repeats the rules in its own language. */
import type { Change, Row } from './ledger.ts'
import { correctionsOfInferredRejection, isFinal, predecessors, type Recordable, type State } from './states.ts'

/** The claim expired; its holder may have crashed. */
export function isOverdue({ sinceLastSendMs }: Pick<Row, 'sinceLastSendMs'>): boolean {
  return sinceLastSendMs >= 0
}

/** A conclusion of this service is valid only under its own claim. FreedomPay's answers are valid under every claim. */
export function isOwnConclusion({ state, isInferred }: Change): boolean {
  return state === 'unknown' || state === 'not-created' || isInferred === true
}

/** The pause between the end of a claim and the first question: the holder may be recording the outcome. */
export const graceMs = 2000
/** The pause between an outcome that is not final and the first question. */
export const firstAskMs = 1000
/** A row that is not final after this time needs an operator. */
export const attentionAfterMs = 24 * 3_600_000

/** The times of the questions about an inferred state, counted from the conclusion. */
export const inferredAsksAtMs = [60_000, 600_000, 3_600_000, 86_400_000] as const

/** Milliseconds from a change to the first question; undefined: no question is left. A created client may still lack its id. */
export function firstAskAfterMs({ state, clientId, isInferred }: Change): number | undefined {
  if (isInferred) return inferredAsksAtMs[0]
  if (state === 'created') return clientId === undefined ? firstAskMs : undefined
  return isFinal(state) ? undefined : firstAskMs
}

/** True if the change may be recorded. Every engine repeats this rule in its own language. */
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
    // An inferred creation is an operator's decision. FreedomPay's own answer overrules the decision.
    const isCorrected = row.isInferred && !isInferred && state === 'rejected'
    return isCorrected || (isIdTold && (row.isInferred || row.clientId === undefined))
  }
  const corrections: readonly Recordable[] = correctionsOfInferredRejection
  return row.state === 'rejected' && row.isInferred && !isInferred && corrections.includes(state)
}
