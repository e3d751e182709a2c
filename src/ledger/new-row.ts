import type { Claim, Row } from './ledger.ts'

/** The row after its first claim. An engine that uses this function saves a read. */
export function newRow(
  { requestId, keyId, caller, fingerprint, claimToken, deadlineMs }: Claim,
  updatedAtMs: number,
): Row {
  return {
    requestId,
    keyId,
    caller,
    fingerprint,
    state: 'sent',
    clientId: undefined,
    partnerCode: undefined,
    partnerDescription: undefined,
    claimToken,
    claims: 1,
    mayHaveArrived: false,
    isAcknowledged: false,
    isInferred: false,
    doubts: 0,
    doubtedForMs: 0,
    asks: 0,
    updatedAtMs,
    sinceUpdateMs: 0,
    sinceLastSendMs: -deadlineMs,
  }
}
