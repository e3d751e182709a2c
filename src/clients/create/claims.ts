/** The claim of a create in the ledger: claimed before the first send, renewed before each further send. */
import { randomUUID } from 'node:crypto'
import type { Claim, ClaimResult, Ledger, Renewal, Row } from '../../ledger/ledger.ts'
import { Problem, retryAfter, safeToRetryWith } from '../../problems/problem.ts'
import { beforeDeadline, ledgerMarginMs, timeLeft } from './by-deadline.ts'
import type { CreateCommand } from './create-command.ts'
import { UnusedClaims, type UnusedClaimsLog } from './unused-claims.ts'

export interface Claims {
  /** Of all requests with one key, exactly one gets the claim. @throws Problem ledger-unavailable */
  claim(command: CreateCommand, deadlineAt: number): Promise<ClaimResult>
  /** Undefined if another request holds the claim now. @throws Problem ledger-unavailable */
  renew(row: Row, deadlineAt: number, mayHaveArrived: boolean): Promise<Row | undefined>
  /** FreedomPay has taken nothing under this claim, and the ledger could not be told. The ledger is told later. */
  giveBack(row: Row): void
  /** Tries once more to give back what is left. */
  stop(): Promise<void>
}

const ledgerSeconds = 2

export function createClaims(ledger: Ledger, log: UnusedClaimsLog): Claims {
  const unused = new UnusedClaims(ledger, log)

  return {
    async claim({ requestId, keyId, caller, fingerprints }, deadlineAt) {
      const [fingerprint = ''] = fingerprints
      const deadlineMs = timeLeft(deadlineAt)
      const claim: Claim = { requestId, keyId, caller, fingerprint, claimToken: randomUUID(), deadlineMs }
      try {
        // A request whose body came late may have a key that the ledger knows.
        return await beforeDeadline(ledger.claim(claim), deadlineAt, ledgerMarginMs)
      } catch (cause) {
        const { claimToken } = claim
        unused.add({ requestId, claimToken, repeat: () => ledger.claim(claim), state: 'not-created' })
        throw ledgerUnavailable(keyId, cause)
      }
    },
    async renew(row, deadlineAt, mayHaveArrived) {
      const { requestId, keyId, claimToken: from } = row
      const renewal: Renewal = { requestId, from, to: randomUUID(), deadlineMs: timeLeft(deadlineAt), mayHaveArrived }
      try {
        return await beforeDeadline(ledger.renew(renewal), deadlineAt)
      } catch (cause) {
        const state = stateOfUnused(row.mayHaveArrived || mayHaveArrived)
        unused.add({ requestId, claimToken: renewal.to, repeat: () => ledger.renew(renewal), state })
        throw ledgerUnavailable(keyId, cause)
      }
    },
    giveBack({ requestId, claimToken, mayHaveArrived }) {
      unused.add({ requestId, claimToken, state: stateOfUnused(mayHaveArrived) })
    },
    stop: () => unused.stop(),
  }
}

/** The state of a row under whose latest claim FreedomPay has taken nothing. A send under an earlier claim may still arrive. */
export function stateOfUnused(mayHaveArrived: boolean): 'unknown' | 'not-created' {
  return mayHaveArrived ? 'unknown' : 'not-created'
}

function ledgerUnavailable(keyId: string | undefined, cause: unknown): Problem {
  const safeToRetry = safeToRetryWith(keyId)
  return new Problem('ledger-unavailable', { headers: retryAfter(ledgerSeconds), safeToRetry, cause })
}
