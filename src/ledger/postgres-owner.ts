/** Whose ledger a PostgreSQL holds, read without a write. */
import { checkOwner } from './account.ts'
import { OldLedgerError, UnusedLedgerError } from './ledger.ts'
import type { Postgres } from './postgres-connection.ts'
import { steps } from './postgres-schema.ts'
import type { Statement } from './postgres-statements.ts'

const findTables: Statement = {
  name: 'ledger-find-tables',
  text: `SELECT to_regclass('ledger_schema') IS NOT NULL AND to_regclass('ledger_fact') IS NOT NULL AS are_there`,
}
const readOwner: Statement = {
  name: 'ledger-read-owner',
  text: `
SELECT (SELECT coalesce(max(step), 0) FROM ledger_schema) AS version,
  (SELECT value FROM ledger_fact WHERE name = 'account') AS account`,
}

/** @throws UnusedLedgerError, OldLedgerError, ForeignLedgerError */
export async function checkPostgresOwner(run: Postgres['run'], account: string): Promise<void> {
  const tables = await run<{ are_there: boolean }>(findTables, [])
  if (!tables.rows[0]?.are_there) throw new UnusedLedgerError()
  const { rows } = await run<{ version: number; account: string | null }>(readOwner, [])
  const [owner] = rows
  if ((owner?.version ?? 0) < steps.length) throw new OldLedgerError()
  checkOwner(owner?.account ?? undefined, account)
}
