/** The claim of a create in the ledger: claimed before the first send, renewed before each further send. */
import { randomUUID } from 'node:crypto'
import type { ClaimResult, Ledger, Row } from '../../ledger/ledger.ts'
import { Problem, retryAfter, safeToRetryWith } from '../../problems/problem.ts'
import type { CreateCommand } from './create-command.ts'

const ledgerSeconds = 2

/** Of all requests with one key, exactly one gets the claim. @throws Problem ledger-unavailable */
export function claimIn(ledger: Ledger, command: CreateCommand, deadlineAt: number): Promise<ClaimResult> {
  const { requestId, keyId, caller, fingerprints } = command
  const [fingerprint = ''] = fingerprints
  const deadlineMs = timeLeft(deadlineAt)
  return ledger
    .claim({ requestId, keyId, caller, fingerprint, claimToken: randomUUID(), deadlineMs })
    .catch((cause: unknown) => {
      throw ledgerUnavailable(keyId, cause)
    })
}

/** Undefined if another request holds the claim now. @throws Problem ledger-unavailable */
export function renewIn(
  ledger: Ledger,
  { requestId, keyId, claimToken: from }: Row,
  deadlineAt: number,
  mayHaveArrived: boolean,
): Promise<Row | undefined> {
  const deadlineMs = timeLeft(deadlineAt)
  return ledger.renew({ requestId, from, to: randomUUID(), deadlineMs, mayHaveArrived }).catch((cause: unknown) => {
    throw ledgerUnavailable(keyId, cause)
  })
}

/** At least 1 ms: a claim of no duration would expire at once. */
function timeLeft(deadlineAt: number): number {
  return Math.max(1, Math.round(deadlineAt - performance.now()))
}

function ledgerUnavailable(keyId: string | undefined, cause: unknown): Problem {
  const safeToRetry = safeToRetryWith(keyId)
  return new Problem('ledger-unavailable', { headers: retryAfter(ledgerSeconds), safeToRetry, cause })
}
