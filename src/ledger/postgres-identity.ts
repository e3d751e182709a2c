/**
 * The ledger that this process has adopted: its account, and the id that the first service gave the ledger. A standby has the same
 * id. Another database behind the same URL has another id or none, and without the claims so far a key would be sent again.
 */
import { type ClientBase, type ClientConfig, DatabaseError } from 'pg'
import type { Logger } from 'pino'

export interface LedgerIdentity {
  readonly account: string
  readonly id: string
}

export class OtherLedgerError extends Error {
  constructor() {
    super(
      'a host of LEDGER_URL holds another ledger than the one that this service started with, so nothing is sent or written; bring the right database back, or restart the service if the other ledger is the right one',
    )
    this.name = 'OtherLedgerError'
  }
}

const missingTable = '42P01'

export class OwnLedger {
  private readonly log: Logger
  private known: LedgerIdentity | undefined
  private isTold = false

  constructor(log: Logger) {
    this.log = log
  }

  remember(identity: LedgerIdentity): void {
    this.known = identity
  }

  /** Called for each new connection, as a host name may lead to another server than before. @throws OtherLedgerError */
  async check(client: ClientBase, { connectionString = '' }: ClientConfig): Promise<void> {
    if (this.known === undefined) return
    const { account, id } = await readIdentity(client)
    if (account === this.known.account && id === this.known.id) {
      this.isTold = false
      return
    }
    const error = new OtherLedgerError()
    if (!this.isTold) this.log.error({ host: new URL(connectionString).host }, error.message)
    this.isTold = true
    throw error
  }
}

async function readIdentity(client: ClientBase): Promise<Partial<LedgerIdentity>> {
  try {
    const { rows } = await client.query<{ name: string; value: string }>('SELECT name, value FROM ledger_fact')
    return toIdentity(rows)
  } catch (error) {
    if (error instanceof DatabaseError && error.code === missingTable) return {}
    throw error
  }
}

export function toIdentity(facts: readonly { name: string; value: string }[]): Partial<LedgerIdentity> {
  return Object.fromEntries(facts.map(({ name, value }) => [name, value]))
}
