/** The account that a ledger belongs to. */
import { hash } from 'node:crypto'
import { ForeignLedgerError, UnusedLedgerError } from './ledger.ts'

/** The name of the ledger's account if LEDGER_ACCOUNT is not set. A hash, because the identifier is half of a credential. */
export function nameAccount(origin: string, authId: string): string {
  // The sandbox inside the service gets another port at each start, so the port is left out.
  const { hostname } = new URL(origin)
  return hash('sha256', `${hostname}\n${authId}`).slice(0, 32)
}

/** @throws UnusedLedgerError where the ledger has no owner yet, ForeignLedgerError where the owner is another account */
export function checkOwner(owner: string | undefined, account: string): void {
  if (owner === undefined) throw new UnusedLedgerError()
  if (owner !== account) throw new ForeignLedgerError(owner)
}
