/** A row as Redis holds it: a hash. */
import type { Row } from './ledger.ts'
import type { State } from './states.ts'

/** The reply of a script: whether the row was changed, the server's clock, the row as a flat list, the state before. */
export type ScriptReply = [done: number, now: string, fields: string[], was?: string]

export function toRow([, now, fields]: ScriptReply): Row | undefined {
  if (fields.length === 0) return undefined
  const stored: Record<string, string> = {}
  for (let i = 0; i < fields.length; i += 2) stored[fields[i] as string] = fields[i + 1] as string
  const requestId = stored.request_id as string
  const fingerprint = stored.fingerprint as string
  // Rows without key_id come from an earlier version: request_id is the hash of the key, and this code marks an
  // acknowledgement.
  const isOld = stored.key_id === undefined
  const isMarked = isOld && stored.partner_code === 'duplicate' && stored.state === 'unknown'
  return {
    requestId,
    keyId: isOld && fingerprint !== '' ? requestId : stored.key_id || undefined,
    caller: stored.caller as string,
    fingerprint,
    state: stored.state as State,
    clientId: stored.client_id,
    partnerCode: isMarked ? undefined : stored.partner_code,
    partnerDescription: stored.partner_description,
    claimToken: stored.claim_token ?? '',
    claims: Number(stored.claims),
    mayHaveArrived: stored.may_have_arrived === '1' || isOld,
    isAcknowledged: stored.is_acknowledged === '1' || isMarked,
    isInferred: stored.is_inferred === '1',
    doubts: Number(stored.doubts ?? 0),
    doubtedForMs: stored.doubted_at === undefined ? 0 : Number(now) - Number(stored.doubted_at),
    asks: Number(stored.asks),
    updatedAtMs: Number(stored.updated_at),
    sinceUpdateMs: Number(now) - Number(stored.updated_at),
    sinceLastSendMs: Number(now) - Number(stored.deadline_at),
  }
}
