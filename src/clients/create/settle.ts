/** What the ledger knows of a create decides what is done: sent, asked about, or answered from the row. */
import type { Row } from '../../ledger/ledger.ts'
import { isOverdue } from '../../ledger/rules.ts'
import { inProgress, keyReused, notSentAgain, type Settlement } from '../answer.ts'
import { carryOut } from './carry-out.ts'
import type { CreateClientParts } from './create-client.ts'
import type { Job } from './work.ts'

/** @throws Problem as `CreateClientAtPartner` does */
export async function settle(parts: CreateClientParts, job: Job): Promise<Settlement> {
  const { command, work } = job
  const deadlineAt = command.arrivedAt + parts.settings.deadlineMs
  const { isClaimed, row } = await parts.claims.claim(command, deadlineAt)
  work.requestId = row.requestId
  command.log.requestId = row.requestId
  if (isClaimed) return carryOut(parts, job, row, 'send')
  if (command.keyId === undefined || !command.fingerprints.includes(row.fingerprint)) throw keyReused(row)
  switch (row.state) {
    case 'created':
      // The client's id may be missing from the row, so FreedomPay is asked for the id.
      return row.clientId === undefined ? carryOut(parts, job, row, 'pursue') : { row, how: 'replayed' }
    case 'rejected':
      return { row, how: 'replayed' }
    case 'not-created':
      return sendAnew(parts, job, row, deadlineAt)
    case 'sent':
      if (!isOverdue(row)) throw inProgress(row.requestId)
      return carryOut(parts, job, row, 'pursue')
    case 'unknown':
    case 'processing':
      return carryOut(parts, job, row, 'pursue')
  }
}

async function sendAnew(parts: CreateClientParts, job: Job, known: Row, deadlineAt: number): Promise<Settlement> {
  const mayHaveArrived = known.mayHaveArrived || known.isInferred
  if (mayHaveArrived && !parts.settings.mayResend) throw notSentAgain(known.requestId)
  const renewed = await parts.claims.renew(known, deadlineAt, mayHaveArrived)
  if (renewed === undefined) throw inProgress(known.requestId)
  return carryOut(parts, job, renewed, 'send')
}
