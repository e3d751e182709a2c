/** Where the service keeps its ledger while it is measured; removed with the process. */
import { mkdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '../test/fixtures/free-port.ts'
import { startPostgres, whyNoPostgres } from './postgres.ts'
import { workFolder } from './process.ts'
import { findRedisServer, startRedis } from './redis.ts'

export type LedgerKind = 'memory' | 'sqlite' | 'redis' | 'postgres'

export interface PreparedLedger {
  readonly env: Record<string, string>
  readonly file?: string
  /** Of the database, where it is a process. */
  readonly pid?: number
  remove(): Promise<void>
}

/** Why a ledger cannot be had here; undefined when it can. */
export function whyNoLedger(kind: LedgerKind | undefined): string | undefined {
  if (kind === 'redis' && findRedisServer() === undefined) return 'no redis-server on the PATH'
  return kind === 'postgres' ? whyNoPostgres : undefined
}

let ledgers = 0

export async function prepareLedger(kind: LedgerKind): Promise<PreparedLedger> {
  const key = { LEDGER_KEY: 'a-ledger-key-of-the-bench-of-forty-bytes' }
  switch (kind) {
    case 'memory':
      return { env: { ...key, LEDGER_URL: 'memory:' }, remove: async () => {} }
    case 'sqlite': {
      ledgers += 1
      mkdirSync(workFolder, { recursive: true })
      const file = fileURLToPath(new URL(`ledger-${ledgers}.db`, workFolder))
      return {
        env: { ...key, LEDGER_URL: `sqlite:${file}` },
        file,
        remove: async () => {
          for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${file}${suffix}`, { force: true })
        },
      }
    }
    case 'redis': {
      const { url, pid, stop } = await startRedis(await findFreePort())
      return { env: { ...key, LEDGER_URL: url }, pid, remove: stop }
    }
    case 'postgres': {
      const { url, pid, stop } = await startPostgres()
      return { env: { ...key, LEDGER_URL: url }, pid, remove: stop }
    }
  }
}
