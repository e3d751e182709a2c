/** What came of a create becomes a change of its row, and the row becomes what the caller is told. */
import type { Change, Row } from '../../ledger/ledger.ts'
import type { IdempotencyStatus, Settlement } from '../answer.ts'
import type { CreateClientParts } from './create-client.ts'
import type { CreateCommand } from './create-command.ts'
import type { Delivered } from './deliver.ts'
import { maskReason } from './mask-reason.ts'
import type { Conclusion } from './poll-status.ts'

/** A row as this process holds its claim. */
export interface Held {
  readonly row: Row
  /** No earlier request claimed the row. */
  readonly isFirstClaim: boolean
  readonly how: IdempotencyStatus
}

/**
 * Writes the outcome down. The ledger's row then counts: another replica may have learnt more in the meantime.
 */
export async function conclude(
  { ledger, countUnknownDuplicate }: Pick<CreateClientParts, 'ledger' | 'countUnknownDuplicate'>,
  { row, isFirstClaim, how }: Held,
  delivered: Delivered,
  { log, body }: Pick<CreateCommand, 'log' | 'body'>,
): Promise<Settlement> {
  const { requestId, claimToken, keyId } = row
  const notTaken = delivered.status === 'not-taken' ? delivered.outcome : undefined
  const told = delivered.status === 'rejected' ? maskReason(delivered.partner, body) : undefined
  const change = toChange(delivered, row, told?.isClean ? told.description : undefined)
  const settlement = {
    how: delivered.isDuplicate ? ('replayed' as const) : how,
    notTaken,
    isFirstClaim,
    partnerDescription: told?.description,
  }
  if (delivered.isDuplicate && isFirstClaim) {
    countUnknownDuplicate()
    log.warn({}, 'FreedomPay knew this request, the ledger did not')
  }
  try {
    const recorded = await ledger.record(requestId, claimToken, change)
    if (recorded !== undefined) {
      // Refused, as the claim is another request's by now, which may have sent.
      const isStillFirst = isFirstClaim && recorded.was !== undefined
      return { ...settlement, isFirstClaim: isStillFirst, row: { ...recorded.row, keyId } }
    }
    log.error({}, 'the row of this create is gone from the ledger, so it cannot be looked up')
  } catch (err) {
    // The outcome is known all the same. The row stays as it is, and will be asked about.
    log.error({ err }, 'the outcome could not be written to the ledger')
  }
  // Unread, the ledger may have given the claim to another request, which has sent.
  return { ...settlement, isFirstClaim: false, row: { ...row, ...change, updatedAtMs: Date.now() } }
}

function toChange(delivered: Delivered, row: Row, partnerDescription: string | undefined): Change {
  switch (delivered.status) {
    case 'not-taken':
      // Certain of this send alone: one under an earlier claim may still arrive.
      return { state: row.mayHaveArrived ? 'unknown' : 'not-created' }
    case 'undecided': {
      const { known, isAcknowledged } = delivered.knowledge
      return { state: known, isAcknowledged }
    }
    default:
      return { ...concludedChange(delivered), partnerDescription }
  }
}

/** What a conclusion changes, whether a request drew it or the reconciler. */
export function concludedChange(conclusion: Conclusion): Change {
  switch (conclusion.status) {
    case 'created':
      return { state: 'created', clientId: conclusion.clientId }
    case 'rejected': {
      const { partner, isInferred } = conclusion
      return { state: 'rejected', partnerCode: partner.code, isInferred }
    }
    case 'not-created':
      return { state: 'not-created', isInferred: true }
  }
}
