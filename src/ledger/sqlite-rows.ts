/** A row as SQLite holds it. */
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
  may_have_arrived: number
  is_acknowledged: number
  is_inferred: number
  doubts: number
  doubted_at: number | null
  asks: number
  updated_at: number
  deadline_at: number
  next_ask_at: number | null
}

export function toRow(stored: unknown, now: number): Row {
  const row = stored as StoredRow
  return {
    requestId: row.request_id,
    keyId: row.key_id ?? undefined,
    caller: row.caller,
    fingerprint: row.fingerprint,
    state: row.state,
    clientId: row.client_id ?? undefined,
    partnerCode: row.partner_code ?? undefined,
    partnerDescription: row.partner_description ?? undefined,
    claimToken: row.claim_token,
    claims: row.claims,
    mayHaveArrived: row.may_have_arrived === 1,
    isAcknowledged: row.is_acknowledged === 1,
    isInferred: row.is_inferred === 1,
    doubts: row.doubts,
    doubtedForMs: now - (row.doubted_at ?? now),
    asks: row.asks,
    updatedAtMs: row.updated_at,
    sinceUpdateMs: now - row.updated_at,
    sinceLastSendMs: now - row.deadline_at,
  }
}
