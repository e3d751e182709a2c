/** Reads the state of an earlier create from the ledger. */
import type { Ledger } from '../ledger/ledger.ts'
import { Problem, retryAfter } from '../problems/problem.ts'
import { toClientRequest } from './answer.ts'
import type { ClientRequest } from './body/schema.ts'

export interface ReadRequestQuery {
  readonly requestId: string
  readonly caller: string
}

/** @throws Problem not-found (also for a request of another caller), ledger-unavailable */
export type ReadRequest = (query: ReadRequestQuery) => Promise<ClientRequest>

const ledgerSeconds = 2

export function buildReadRequest(ledger: Ledger): ReadRequest {
  return async ({ requestId, caller }) => {
    const row = await ledger.find(requestId).catch((cause: unknown) => {
      const detail = 'The ledger cannot be read, so the state of this request is not known at the moment.'
      // The create may exist, so a new key is not safe.
      const safeToRetry = 'same-key-only'
      throw new Problem('ledger-unavailable', { detail, headers: retryAfter(ledgerSeconds), safeToRetry, cause })
    })
    if (row === undefined || row.caller !== caller) throw new Problem('not-found')
    return toClientRequest(row)
  }
}
