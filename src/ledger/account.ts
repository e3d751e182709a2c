import { hash } from 'node:crypto'

/** The name of the ledger's account if LEDGER_ACCOUNT is not set. A hash, because the identifier is half of a credential. */
export function nameAccount(origin: string, authId: string): string {
  // The sandbox inside the service gets another port at each start, so the port is left out.
  const { hostname } = new URL(origin)
  return hash('sha256', `${hostname}\n${authId}`).slice(0, 32)
}
