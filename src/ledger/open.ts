/** Which engine a LEDGER_URL means. */
import type { Logger } from 'pino'
import type { Ledger } from './ledger.ts'
import { openRedisLedger } from './redis.ts'
import { openSqliteLedger } from './sqlite.ts'

export interface LedgerSettings {
  /** `sqlite::memory:` · `sqlite:/path/ledger.db` · `redis://…` · `rediss://…` */
  readonly url: string
  readonly retentionMs: number
}

export function openLedger({ url, retentionMs }: LedgerSettings, log: Logger): Ledger {
  return url.startsWith('sqlite:')
    ? openSqliteLedger({ path: url.slice('sqlite:'.length), retentionMs })
    : openRedisLedger({ url, retentionMs, log })
}
