/** A row as PostgreSQL holds it. */
import type { Row } from './ledger.ts'
import type { State } from './states.ts'

export interface StoredRow {
  request_id: string
  key_id: string | null
  caller: string
  fingerprint: string
  state: State
  client_id: string | null
  partner_code: string | null
  partner_description: string | null
  claim_token: string
  claims: number
  may_have_arrived: boolean
  is_acknowledged: boolean
  is_inferred: boolean
  doubts: number
  asks: number
  updated_ms: number
  since_update_ms: number
  since_last_send_ms: number
  doubted_for_ms: number
}

/** PostgreSQL's text type refuses NUL. So NUL becomes `\0`, and a backslash is doubled. */
export function escapeText(text: string | undefined): string | null {
  if (text === undefined) return null
  if (!text.includes('\\') && !text.includes('\0')) return text
  return text.replaceAll('\\', '\\\\').replaceAll('\0', '\\0')
}

export function unescapeText(text: string): string {
  return text.includes('\\') ? text.replaceAll(/\\(.)/g, (_, escaped) => (escaped === '0' ? '\0' : escaped)) : text
}

export function toRow(row: StoredRow): Row {
  const optional = (text: string | null) => (text === null ? undefined : unescapeText(text))
  return {
    requestId: unescapeText(row.request_id),
    keyId: optional(row.key_id),
    caller: unescapeText(row.caller),
    fingerprint: unescapeText(row.fingerprint),
    state: row.state,
    clientId: optional(row.client_id),
    partnerCode: optional(row.partner_code),
    partnerDescription: optional(row.partner_description),
    claimToken: unescapeText(row.claim_token),
    claims: row.claims,
    mayHaveArrived: row.may_have_arrived,
    isAcknowledged: row.is_acknowledged,
    isInferred: row.is_inferred,
    doubts: row.doubts,
    doubtedForMs: row.doubted_for_ms,
    asks: row.asks,
    updatedAtMs: row.updated_ms,
    sinceUpdateMs: row.since_update_ms,
    sinceLastSendMs: row.since_last_send_ms,
  }
}
