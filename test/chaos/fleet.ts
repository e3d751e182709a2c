/** The service as it is run: one replica on a SQLite file, or several on one Redis or PostgreSQL. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ChildReport, holdsPersonalData } from './child.ts'
import { type LedgerLine, openLedgerLine } from './ledger-line.ts'
import { type PostgresPair, startPostgresPair } from './postgres-pair.ts'
import { type RedisPair, startRedisPair } from './redis-pair.ts'
import { type RedisServer, startRedisServer } from './redis-server.ts'
import { type Replica, startReplica } from './replica.ts'

/** `redis pair`: a primary and a replica that lags. */
export type LedgerKind = 'sqlite' | 'redis' | 'redis pair' | 'postgres pair'

export interface Fleet {
  readonly replicas: readonly Replica[]
  /** The line of each replica to its ledger, where the ledger is a Redis. */
  readonly ledgerLines: readonly LedgerLine[]
  readonly redis?: RedisServer
  readonly redisPair?: RedisPair
  readonly postgresPair?: PostgresPair
  /** Ends the processes as an operator would, and looks for personal data in what they leave behind. */
  stop(): Promise<void>
}

export interface FleetOptions {
  readonly ledger: LedgerKind
  readonly replicas: number
  readonly settings: Record<string, string>
  readonly report: ChildReport
}

interface LedgerParts extends Pick<Fleet, 'redis' | 'redisPair' | 'postgresPair'> {
  readonly urls: readonly string[]
  readonly ledgerLines: readonly LedgerLine[]
  readonly folders: () => string[]
  stop(): Promise<void>
}

export async function startFleet({ ledger, replicas: count, settings, report }: FleetOptions): Promise<Fleet> {
  const folder = await mkdtemp(join(tmpdir(), 'chaos-'))
  const { urls, folders, stop: stopLedger, ...parts } = await startLedger(ledger, count, folder, report)
  const start = (LEDGER_URL: string, index: number) =>
    startReplica(`replica ${index + 1}`, { ...settings, LEDGER_URL }, report)
  const replicas = await Promise.all(urls.map(start))
  async function stop(): Promise<void> {
    await Promise.all(replicas.map((replica) => replica.stop()))
    const found = await Promise.all([folder, ...folders()].map(findPersonalData))
    report.leaks.push(...found.flat())
    await stopLedger()
    await rm(folder, { recursive: true })
  }
  let stopping: Promise<void> | undefined
  return {
    ...parts,
    replicas,
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

async function startLedger(kind: LedgerKind, count: number, folder: string, report: ChildReport): Promise<LedgerParts> {
  const same = (url: string) => Array<string>(count).fill(url)
  const none = { ledgerLines: [], folders: () => [] }
  switch (kind) {
    case 'sqlite':
      return { ...none, urls: same(`sqlite:${join(folder, 'ledger.db')}`), stop: async () => undefined }
    case 'postgres pair': {
      const postgresPair = await startPostgresPair()
      const { url, folders, stop } = postgresPair
      return { ...none, urls: same(url), postgresPair, folders, stop }
    }
    case 'redis': {
      const redis = await startRedisServer(folder, report)
      return { redis, ...(await layLines(count, redis.port, redis)) }
    }
    case 'redis pair': {
      const redisPair = await startRedisPair(folder, report)
      return { redisPair, ...(await layLines(count, redisPair.port(), redisPair)) }
    }
    default:
      return kind satisfies never
  }
}

async function layLines(count: number, port: number, redis: { stop(): Promise<void> }): Promise<LedgerParts> {
  const ledgerLines = await Promise.all(Array.from({ length: count }, () => openLedgerLine(port)))
  return {
    ledgerLines,
    urls: ledgerLines.map((line) => `redis://127.0.0.1:${line.port}`),
    folders: () => [],
    async stop() {
      await Promise.all(ledgerLines.map((line) => line.close()))
      await redis.stop()
    },
  }
}

/** The file, its write-ahead log, the append-only files of Redis, the tables of PostgreSQL. */
async function findPersonalData(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const leaks: string[] = []
  for (const { parentPath, name } of entries.filter((entry) => entry.isFile())) {
    if (holdsPersonalData(await readFile(join(parentPath, name), 'latin1'))) leaks.push(`the ledger's ${name}`)
  }
  return leaks
}
