/** The service as it is run: one replica on a SQLite file, or several on one Redis. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ChildReport, holdsPersonalData } from './child.ts'
import { type RedisServer, startRedisServer } from './redis-server.ts'
import { type Replica, startReplica } from './replica.ts'

export interface Fleet {
  readonly replicas: readonly Replica[]
  /** Undefined where the ledger is a file. */
  readonly redis: RedisServer | undefined
  /** Ends the processes as an operator would, and looks for personal data in what they leave behind. */
  stop(): Promise<void>
}

export interface FleetOptions {
  readonly ledger: 'sqlite' | 'redis'
  readonly replicas: number
  readonly settings: Record<string, string>
  readonly report: ChildReport
}

export async function startFleet({ ledger, replicas: count, settings, report }: FleetOptions): Promise<Fleet> {
  const folder = await mkdtemp(join(tmpdir(), 'chaos-'))
  const redis = ledger === 'redis' ? await startRedisServer(folder, report) : undefined
  const url = redis?.url ?? `sqlite:${join(folder, 'ledger.db')}`
  const names = Array.from({ length: count }, (_, index) => `replica ${index + 1}`)
  const replicas = await Promise.all(names.map((name) => startReplica(name, { ...settings, LEDGER_URL: url }, report)))
  async function stop(): Promise<void> {
    await Promise.all(replicas.map((replica) => replica.stop()))
    await redis?.stop()
    report.leaks.push(...(await findPersonalData(folder)))
    await rm(folder, { recursive: true })
  }
  let stopping: Promise<void> | undefined
  return {
    replicas,
    redis,
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

/** The file, its write-ahead log, the append-only files of Redis. */
async function findPersonalData(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const texts = await Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1')))
  return files.filter((_, index) => holdsPersonalData(texts[index] as string)).map(({ name }) => `the ledger's ${name}`)
}
