/** An hour of typical load in 5 minutes: what is held at the end, against what was held after the first minute. */
import { setTimeout as wait } from 'node:timers/promises'
import { type Candidate, type StartedCandidate, startCandidate } from './candidates.ts'
import { drive } from './drive.ts'
import { type Bench, noteFaults, serialiseBody } from './loads.ts'
import { printRows } from './report.ts'
import { median } from './statistics.ts'

/** 10 creates a second for an hour. */
const requests = 36_000
const seconds = 300
const firstMinuteSeconds = 60
const connections = 16
const allowedGrowth = 0.05

interface Held {
  readonly heapMegabytes: number
  readonly rssMegabytes: number
  readonly handles: number
}

export interface SoakResult {
  readonly requests: number
  readonly afterFirstMinute: Held
  readonly atTheEnd: Held
  /** Of each, in parts of one. */
  readonly growth: Held
}

export async function soak(candidate: Candidate, bench: Bench): Promise<SoakResult> {
  const started = await startCandidate(candidate, bench.standIn.url)
  try {
    const load = drive({
      urls: [started.url],
      body: serialiseBody('typical'),
      connections,
      seconds,
      // A second's share is sent at its beginning.
      requestsPerSecond: requests / seconds,
      keyed: candidate.keyed,
    })
    await wait(firstMinuteSeconds * 1000)
    const afterFirstMinute = await readHeld(started)
    await wait((seconds - firstMinuteSeconds - 5) * 1000)
    const atTheEnd = await readHeld(started)
    const driven = await load
    noteFaults(bench, `${candidate.name}, soak`, driven)

    const growth = {
      heapMegabytes: atTheEnd.heapMegabytes / afterFirstMinute.heapMegabytes - 1,
      rssMegabytes: atTheEnd.rssMegabytes / afterFirstMinute.rssMegabytes - 1,
      handles: atTheEnd.handles / afterFirstMinute.handles - 1,
    }
    printSoak(candidate, afterFirstMinute, atTheEnd, growth)
    for (const [name, share] of Object.entries(growth)) {
      if (share > allowedGrowth) bench.faults.push(`${candidate.name}, soak: ${name} grew by ${formatPercent(share)}`)
    }
    return { requests: driven.completed, afterFirstMinute, atTheEnd, growth }
  } finally {
    await started.stop()
  }
}

/** While the load goes on, so with the same connections open; the median of some looks, as requests come in bursts. */
async function readHeld(started: StartedCandidate): Promise<Held> {
  const looks: Held[] = []
  for (let i = 0; i < 9; i += 1) {
    const { heapUsedBytes, rssBytes, handles } = await started.readMemory()
    looks.push({ heapMegabytes: heapUsedBytes / 1e6, rssMegabytes: rssBytes / 1e6, handles })
    await wait(330)
  }
  return {
    heapMegabytes: median(looks.map((look) => look.heapMegabytes)),
    rssMegabytes: median(looks.map((look) => look.rssMegabytes)),
    handles: median(looks.map((look) => look.handles)),
  }
}

function printSoak(candidate: Candidate, before: Held, after: Held, growth: Held): void {
  const rows = (['heapMegabytes', 'rssMegabytes', 'handles'] as const).map((name) => [
    name,
    before[name].toFixed(1),
    after[name].toFixed(1),
    formatPercent(growth[name]),
  ])
  console.log(`\nSoak: ${candidate.title}, ${requests} creates in ${seconds} s`)
  printRows([['', 'after 1 min', 'at the end', 'growth'], ...rows])
}

function formatPercent(share: number): string {
  return `${share < 0 ? '' : '+'}${(share * 100).toFixed(1)} %`
}
