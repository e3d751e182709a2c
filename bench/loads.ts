/** The loads that are measured alike: one body, so many connections, so many processes. */
import { type BodyName, buildBody } from './bodies.ts'
import { type Candidate, type CandidateName, type StartedCandidate, startCandidate } from './candidates.ts'
import { type Driven, drive } from './drive.ts'
import type { StandIn } from './stand-in-process.ts'

export interface Load {
  readonly name: string
  readonly title: string
  readonly body: BodyName
  readonly connections: number
  readonly replicas: number
  /** How long the partner takes for each of the two calls. */
  readonly partnerDelayMs: number
  /** Loads that everyone is measured with; the others are for those that the comparison is about. */
  readonly forAll: boolean
}

export interface LoadMeasures {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuMicroseconds: number
  readonly peakMegabytes: number
  readonly completed: number
}

export interface Timing {
  readonly rounds: number
  /** For everything but the main loads. */
  readonly fewRounds: number
  /** Long enough for the compiler to be done. */
  readonly warmSeconds: number
  readonly measureSeconds: number
}

export interface Bench {
  readonly standIn: StandIn
  readonly timing: Timing
  /** What went wrong while measuring; any entry fails the run. */
  readonly faults: string[]
}

/** Those that the comparison is about, where measuring every variant would only cost time. */
export const compared: readonly CandidateName[] = ['floor', 'service', 'express', 'nest']

/** With documents most of the time passes in native code, which needs no warming. */
export const documentWarmShare = 0.25

const main = { replicas: 1, partnerDelayMs: 0, forAll: true }
const further = { body: 'typical', replicas: 1, partnerDelayMs: 0, forAll: false } as const

export const loads: readonly Load[] = [
  { ...main, name: 'typical', title: 'Typical body, 16 connections', body: 'typical', connections: 16 },
  {
    ...main,
    name: 'document-100k',
    title: 'Document of 100 KB, 16 connections',
    body: 'document-100k',
    connections: 16,
  },
  { ...main, name: 'document-2m', title: 'Document of 2 MiB, 8 connections', body: 'document-2m', connections: 8 },
  {
    ...further,
    name: 'slow-partner',
    title: 'Typical body, partner takes 200 ms a call, 64 connections',
    connections: 64,
    partnerDelayMs: 200,
  },
  { ...further, name: 'concurrency-1', title: 'Typical body, 1 connection', connections: 1 },
  { ...further, name: 'concurrency-64', title: 'Typical body, 64 connections', connections: 64 },
  { ...further, name: 'concurrency-256', title: 'Typical body, 256 connections', connections: 256 },
  {
    ...further,
    name: 'replicas-2',
    title: 'Typical body, 64 connections over 2 replicas',
    connections: 64,
    replicas: 2,
  },
]

const bodies = new Map<BodyName, Buffer>()

export function serialiseBody(name: BodyName): Buffer {
  let body = bodies.get(name)
  if (body === undefined) {
    body = Buffer.from(JSON.stringify(buildBody(name)))
    bodies.set(name, body)
  }
  return body
}

/** Of one body and one number of processes: measured one after the other in the same warm processes. */
export function groupLoads(chosen: readonly Load[]): readonly (readonly Load[])[] {
  return [...Map.groupBy(chosen, ({ body, replicas }) => `${body} ${replicas}`).values()]
}

/** Starts the candidate, warms it up, and measures each of the group's loads; by their names. */
export async function measureGroup(
  candidate: Candidate,
  group: readonly Load[],
  bench: Bench,
): Promise<Record<string, LoadMeasures>> {
  const [first] = group
  if (first === undefined) return {}
  const started: StartedCandidate[] = []
  try {
    for (let i = 0; i < first.replicas; i += 1) started.push(await startCandidate(candidate, bench.standIn.url))
    await warmUp(candidate, started, first, bench)
    const measured: Record<string, LoadMeasures> = {}
    for (const load of group) measured[load.name] = await measureLoad(candidate, started, load, bench)
    return measured
  } finally {
    await Promise.all(started.map((replica) => replica.stop()))
  }
}

async function warmUp(candidate: Candidate, started: readonly StartedCandidate[], load: Load, bench: Bench) {
  const warmed = await drive({
    ...describeDrive(candidate, started, load),
    seconds: bench.timing.warmSeconds * (load.body === 'typical' ? 1 : documentWarmShare),
  })
  noteFaults(bench, `${candidate.name}, warm-up for ${load.name}`, warmed)
}

function describeDrive(candidate: Candidate, started: readonly StartedCandidate[], load: Load) {
  return {
    urls: started.map(({ url }) => url),
    body: serialiseBody(load.body),
    connections: load.connections,
    keyed: candidate.keyed,
    authorization: started[0]?.authorization,
  }
}

async function measureLoad(
  candidate: Candidate,
  started: readonly StartedCandidate[],
  load: Load,
  bench: Bench,
): Promise<LoadMeasures> {
  const { standIn, timing } = bench
  await standIn.setDelay(load.partnerDelayMs)
  try {
    const countsBefore = await standIn.readCounts()
    const cpuBefore = await sum(started, (replica) => replica.readCpuMicroseconds())
    // A slow partner lets few through: twice the time for them.
    const seconds = timing.measureSeconds * (load.partnerDelayMs > 0 ? 2 : 1)
    const driven = await drive({ ...describeDrive(candidate, started, load), seconds })
    const cpu = (await sum(started, (replica) => replica.readCpuMicroseconds())) - cpuBefore
    const counts = await standIn.readCounts()
    const label = `${candidate.name}, ${load.name}`
    noteFaults(bench, label, driven)
    noteMissingCalls(bench, label, candidate, driven, {
      adds: counts.adds - countsBefore.adds,
      statuses: counts.statuses - countsBefore.statuses,
    })
    return {
      requestsPerSecond: driven.requestsPerSecond,
      p50Ms: driven.p50Ms,
      p99Ms: driven.p99Ms,
      cpuMicroseconds: cpu / driven.completed,
      peakMegabytes: (await sum(started, async (replica) => replica.readPeakRssBytes())) / 1e6,
      completed: driven.completed,
    }
  } finally {
    await standIn.setDelay(0)
  }
}

export function noteFaults(bench: Bench, label: string, driven: Driven): void {
  if (driven.failed > 0) bench.faults.push(`${label}: ${driven.failed} of ${driven.completed} failed: ${driven.faults}`)
  if (driven.completed === 0) bench.faults.push(`${label}: nothing was answered`)
}

/** Whoever answers without having asked the partner has not done the job. */
function noteMissingCalls(
  bench: Bench,
  label: string,
  candidate: Candidate,
  driven: Driven,
  { adds, statuses }: { readonly adds: number; readonly statuses: number },
): void {
  const expectedStatuses = candidate.doesTheJob ? driven.completed : 0
  if (driven.failed === 0 && (adds !== driven.completed || statuses !== expectedStatuses)) {
    bench.faults.push(
      `${label}: ${driven.completed} answers, but the partner saw ${adds} adds and ${statuses} statuses`,
    )
  }
}

async function sum<T>(items: readonly T[], read: (item: T) => Promise<number>): Promise<number> {
  const values = await Promise.all(items.map(read))
  return values.reduce((total, value) => total + value, 0)
}
