/** One to four replicas on one database: what it bears, what a create costs it, and where it ends. */
import { availableParallelism } from 'node:os'
import { type Candidate, candidates, type StartedCandidate, startCandidate } from './candidates.ts'
import { drive } from './drive.ts'
import { type LedgerKind, prepareLedger, whyNoLedger } from './ledgers.ts'
import { type Bench, noteFaults, serialiseBody } from './loads.ts'
import { printRows } from './report.ts'
import { readTreeCpuMicroseconds } from './tree-cpu.ts'

export interface ReplicasMeasures {
  readonly replicas: number
  readonly requestsPerSecond: number
  readonly p99Ms: number
  /** Of all replicas, for each create. */
  readonly cpuMicroseconds: number
  /** Of the database, for each create. */
  readonly databaseMicroseconds: number
  /** Of the database, in parts of one core. */
  readonly databaseLoad: number
}

const kinds = ['redis', 'postgres'] as const satisfies readonly LedgerKind[]
const mostReplicas = 4
const connectionsOfEach = 16
const wantedPerSecond = 1000

export async function measureReplicas(bench: Bench): Promise<Record<string, ReplicasMeasures[]>> {
  const results: Record<string, ReplicasMeasures[]> = {}
  for (const kind of kinds) {
    const why = whyNoLedger(kind)
    if (why !== undefined) {
      console.log(`Skipped: ${kind} (${why})`)
      continue
    }
    const rows: ReplicasMeasures[] = []
    for (let replicas = 1; replicas <= mostReplicas; replicas++) rows.push(await measure(kind, replicas, bench))
    printReplicas(kind, rows)
    results[kind] = rows
  }
  return results
}

async function measure(kind: (typeof kinds)[number], replicas: number, bench: Bench): Promise<ReplicasMeasures> {
  const candidate = candidates.find(({ name }) => name === `service-key-${kind}`) as Candidate
  const ledger = await prepareLedger(kind)
  const started: StartedCandidate[] = []
  try {
    for (let i = 0; i < replicas; i++) {
      started.push(await startCandidate(candidate, bench.standIn.url, { sharedLedger: ledger }))
    }
    const options = {
      urls: started.map(({ url }) => url),
      body: serialiseBody('typical'),
      connections: connectionsOfEach * replicas,
      keyed: true,
    }
    noteFaults(bench, `${kind}, warm-up`, await drive({ ...options, seconds: bench.timing.warmSeconds }))
    const before = await readCosts(started, ledger.pid)
    const driven = await drive({ ...options, seconds: bench.timing.measureSeconds })
    const after = await readCosts(started, ledger.pid)
    noteFaults(bench, `${kind}, ${replicas} replicas`, driven)
    const { completed, requestsPerSecond, p99Ms } = driven
    const databaseMicroseconds = (after.database - before.database) / completed
    return {
      replicas,
      requestsPerSecond,
      p99Ms,
      cpuMicroseconds: (after.own - before.own) / completed,
      databaseMicroseconds,
      databaseLoad: (databaseMicroseconds * requestsPerSecond) / 1e6,
    }
  } finally {
    await Promise.all(started.map((replica) => replica.stop()))
    await ledger.remove()
  }
}

async function readCosts(started: readonly StartedCandidate[], pid = 0) {
  const own = await Promise.all(started.map((replica) => replica.readCpuMicroseconds()))
  return { own: own.reduce((total, each) => total + each, 0), database: readTreeCpuMicroseconds(pid) }
}

/** Redis works in one thread, PostgreSQL in a process for each connection. */
const coresOf = { redis: 1, postgres: availableParallelism() }

function printReplicas(kind: (typeof kinds)[number], rows: readonly ReplicasMeasures[]): void {
  console.log(
    `\nKeyed creates over 1 to ${mostReplicas} replicas, ${connectionsOfEach} connections each, on one ${kind}`,
  )
  printRows([
    ['replicas', 'req/s', 'p99 ms', 'CPU µs/req', 'database µs/req', 'database, % of a core'],
    ...rows.map((row) => [
      String(row.replicas),
      row.requestsPerSecond.toFixed(0),
      row.p99Ms.toFixed(1),
      row.cpuMicroseconds.toFixed(0),
      row.databaseMicroseconds.toFixed(0),
      (row.databaseLoad * 100).toFixed(0),
    ]),
  ])
  const least = Math.min(...rows.map(({ databaseMicroseconds }) => databaseMicroseconds))
  const most = Math.max(...rows.map(({ databaseMicroseconds }) => databaseMicroseconds))
  const ends = (coresOf[kind] * 1e6) / most
  console.log(
    `  At ${least.toFixed(0)} to ${most.toFixed(0)} µs a create the database ends at ${ends.toFixed(0)} creates/s on ${coresOf[kind]} core(s) of its own; ` +
      `${wantedPerSecond} creates/s take ${((most * wantedPerSecond) / 1e4).toFixed(0)} % of a core.`,
  )
}
