/** Where the service keeps its ledger while it is measured; removed with the process. */
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { findFreePort } from './ports.ts'
import { workFolder } from './process.ts'
import { startRedis } from './redis.ts'

export type LedgerKind = 'memory' | 'sqlite' | 'redis'

export interface PreparedLedger {
  readonly env: Record<string, string>
  readonly file?: string
  remove(): Promise<void>
}

let ledgers = 0

export async function prepareLedger(kind: LedgerKind): Promise<PreparedLedger> {
  const key = { LEDGER_KEY: 'a-ledger-key-of-the-bench-of-forty-bytes' }
  switch (kind) {
    case 'memory':
      return { env: { ...key, LEDGER_URL: 'memory:' }, remove: async () => {} }
    case 'sqlite': {
      ledgers += 1
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
      const redis = await startRedis(await findFreePort())
      return { env: { ...key, LEDGER_URL: redis.url }, remove: redis.stop }
    }
  }
}
