import { hash } from 'node:crypto'

/** Whose ledger it is, where LEDGER_ACCOUNT gives no name; hashed, as the identifier is half a credential. */
export function nameAccount(origin: string, authId: string): string {
  // The sandbox in the process of the service has another port each time.
  const { hostname } = new URL(origin)
  return hash('sha256', `${hostname}\n${authId}`).slice(0, 32)
}
