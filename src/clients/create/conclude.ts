/** Turns the outcome of a create into a change of its row, and the row into the answer to the caller. */
import type { Change, Ledger, Recorded, RecordResult, Row } from '../../ledger/ledger.ts'
import type { IdempotencyStatus, Settlement } from '../answer.ts'
import { byDeadline } from './by-deadline.ts'
import { stateOfUnused } from './claims.ts'
import type { CreateClientParts } from './create-client.ts'
import type { CreateCommand } from './create-command.ts'
import type { Delivered } from './deliver.ts'
import type { Conclusion } from './judge.ts'
import { maskReason } from './mask-reason.ts'

/** A row whose claim this process holds. */
export interface Held {
  readonly row: Row
  /** True if no earlier request has claimed the row. */
  readonly isFirstClaim: boolean
  readonly how: IdempotencyStatus
  readonly deadlineAt: number
}

/**
 * Records the outcome. The answer is then made from the ledger's row: another replica may have recorded a later state. A ledger that
 * does not answer in time is not waited for.
 */
export async function conclude(
  parts: Pick<CreateClientParts, 'ledger' | 'claims' | 'countUnknownDuplicate'>,
  { row, isFirstClaim, how, deadlineAt }: Held,
  delivered: Delivered,
  { log, body }: Pick<CreateCommand, 'log' | 'body'>,
): Promise<Settlement> {
  const { keyId } = row
  const notTaken = delivered.status === 'not-taken' ? delivered.outcome : undefined
  const told = delivered.status === 'rejected' ? maskReason(delivered.partner, body) : undefined
  const change = toChange(delivered, row, told?.isClean ? told.description : undefined)
  const settlement = {
    how: delivered.isDuplicate ? ('replayed' as const) : how,
    notTaken,
    partnerDescription: told?.description,
  }
  if (delivered.isDuplicate && isFirstClaim) {
    parts.countUnknownDuplicate()
    log.warn({}, 'FreedomPay already had this request, but the ledger had no record of it')
  }
  const written = await byDeadline(
    write(parts, row, { change, mayBeTaken: notTaken === undefined }, log),
    deadlineAt,
  ).catch(() => undefined)
  const { row: latest, isHeld } = written ?? unconfirmed(row, change)
  return { ...settlement, isFirstClaim: isFirstClaim && isHeld, row: { ...latest, keyId } }
}

/** The ledger did not confirm the change. Another request may hold the claim now, and may have sent the create. */
function unconfirmed(row: Row, change: Change): Written {
  return { row: { ...row, ...change, updatedAtMs: Date.now() }, isHeld: false }
}

interface Written {
  readonly row: Recorded
  /** True if this request still held the claim. Otherwise another request may have sent the create. */
  readonly isHeld: boolean
}

/** Goes on if the caller does not wait any more. Never rejects. Undefined: the ledger could not be told. */
async function write(
  { ledger, claims }: Pick<CreateClientParts, 'ledger' | 'claims'>,
  row: Row,
  { change, mayBeTaken }: { change: Change; mayBeTaken: boolean },
  log: CreateCommand['log'],
): Promise<Written | undefined> {
  try {
    const recorded = await ledger.record(row.requestId, row.claimToken, change)
    if (recorded !== undefined) return { row: recorded.row, isHeld: recorded.was !== undefined }
    const restored = await restore(ledger, row, change)
    if (restored !== undefined) {
      const isOurs = restored.was !== undefined
      log.warn(
        {},
        `the ledger had lost the row of this create; ${isOurs ? 'this' : 'another'} request has written the row again`,
      )
      return { row: restored.row, isHeld: false }
    }
    log.error({}, 'the ledger no longer has the row of this create, so the caller cannot read the outcome later')
  } catch (err) {
    // The caller still gets the outcome. The row keeps its state, so the reconciler will ask FreedomPay.
    log.error({ err }, 'the outcome could not be written to the ledger')
    // No question would tell that nothing was sent.
    if (!mayBeTaken) claims.giveBack(row)
  }
  return undefined
}

/**
 * A ledger that has lost its last second may have lost the row. Undefined: the row cannot be written again, as its key has come with
 * another body since. If another request holds the claim now, the ledger decides as always.
 */
async function restore(ledger: Ledger, row: Row, change: Change): Promise<RecordResult | undefined> {
  const { requestId, keyId, caller, fingerprint, claimToken } = row
  await ledger.claim({ requestId, keyId, caller, fingerprint, claimToken, deadlineMs: 1 })
  return await ledger.record(requestId, claimToken, change)
}

function toChange(delivered: Delivered, row: Row, partnerDescription: string | undefined): Change {
  switch (delivered.status) {
    case 'not-taken':
      return { state: stateOfUnused(row.mayHaveArrived) }
    case 'undecided': {
      const { known, isAcknowledged } = delivered.knowledge
      return { state: known, isAcknowledged }
    }
    default:
      return { ...concludedChange(delivered), partnerDescription }
  }
}

/** The change of the row that a conclusion makes: the same for a request and for the reconciler. */
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
