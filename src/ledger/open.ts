/** Opens the engine that LEDGER_URL names. */
import type { Logger } from 'pino'
import type { Ledger } from './ledger.ts'

export interface LedgerSettings {
  /** `memory:` · `sqlite:/path/ledger.db` · `redis://…` · `rediss://…` · `postgres://…` */
  readonly url: string
  readonly retentionMs: number
  /** True: the ledger is another process's. This process neither makes nor changes the schema. */
  readonly isGuest?: boolean
}

/** Only the engine in use is loaded: the Redis client alone takes a fifth of the start. */
export async function openLedger({ url, retentionMs, isGuest = false }: LedgerSettings, log: Logger): Promise<Ledger> {
  if (url === 'memory:') {
    const { openMemoryLedger } = await import('./memory.ts')
    return openMemoryLedger({ retentionMs })
  }
  if (url.startsWith('sqlite:')) {
    const { openSqliteLedger } = await import('./sqlite.ts')
    return openSqliteLedger({ path: url.slice('sqlite:'.length), retentionMs, isGuest })
  }
  if (/^postgres(ql)?:/.test(url)) {
    const { openPostgresLedger } = await import('./postgres.ts')
    return openPostgresLedger({ url, retentionMs, log, isGuest })
  }
  const { openRedisLedger } = await import('./redis.ts')
  return openRedisLedger({ url, retentionMs, log })
}
