/** Times, ages and rows as an operator reads them. */
import type { InspectedRow } from '../ledger/inspection.ts'
import { attentionAfterMs } from '../ledger/rules.ts'
import { isFinal } from '../ledger/states.ts'

const unitsMs = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** The two largest units: `3d 4h`, `12m 5s`, `0s`. */
export function formatDuration(ms: number): string {
  const first = Math.min(
    unitsMs.findIndex(([, unitMs]) => ms >= unitMs && ms > 0),
    unitsMs.length - 1,
  )
  if (first < 0) return '0s'
  let restMs = ms
  const parts = unitsMs.slice(first, first + 2).map(([name, unitMs]) => {
    const count = Math.floor(restMs / unitMs)
    restMs -= count * unitMs
    return { text: `${count}${name}`, count }
  })
  return parts
    .filter(({ count }, i) => i === 0 || count > 0)
    .map(({ text }) => text)
    .join(' ')
}

/**
 * Texts of FreedomPay and of files could otherwise move the terminal's cursor, or turn the direction of the text. The result is
 * the same value inside of JSON.
 */
export function escapeControls(line: string): string {
  return line.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join(''),
  )
}

export function formatTime(ms: number): string {
  return new Date(ms).toISOString()
}

/** A request may be working on this row at the moment. */
export function isInHand({ state, sinceLastSendMs }: InspectedRow): boolean {
  return state === 'sent' && sinceLastSendMs < 0
}

export function needsAttention({ state, sinceLastSendMs }: InspectedRow): boolean {
  return !isFinal(state) && sinceLastSendMs >= attentionAfterMs
}

export function formatNextQuestion({ nextAskInMs }: InspectedRow): string {
  if (nextAskInMs === undefined) return 'none'
  return nextAskInMs <= 0 ? 'now' : `in ${formatDuration(nextAskInMs)}`
}

/** The row without its internal members: the hash of the key, the fingerprint, and the claim token. */
export function toJson(row: InspectedRow): Record<string, unknown> {
  const { requestId, caller, state, clientId, partnerCode, partnerDescription, claims, asks, resolution } = row
  const { isInferred, isAcknowledged, mayHaveArrived, doubts, updatedAtMs, sinceLastSendMs, nextAskInMs } = row
  const seconds = (ms: number | undefined) => (ms === undefined ? null : Math.round(ms / 1000))
  return {
    requestId,
    caller,
    state,
    clientId: clientId ?? null,
    partner: { code: partnerCode ?? null, description: partnerDescription ?? null },
    updatedAt: formatTime(updatedAtMs),
    ageSeconds: seconds(Math.max(0, sinceLastSendMs)),
    needsAttention: needsAttention(row),
    asks,
    nextQuestionInSeconds: seconds(nextAskInMs),
    claims,
    isInferred,
    isAcknowledged,
    mayHaveArrived,
    doubts,
    resolution: resolution ? { by: resolution.by, at: formatTime(resolution.atMs), why: resolution.why } : null,
  }
}
