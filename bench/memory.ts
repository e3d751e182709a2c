/** What a candidate holds: with much in flight, and with nothing to do; and how long it takes to be ready. */
import { setTimeout as wait } from 'node:timers/promises'
import { type Candidate, startCandidate } from './candidates.ts'
import { drive } from './drive.ts'
import { type Bench, noteFaults, serialiseBody } from './loads.ts'

export interface PeakMeasures {
  readonly peakMegabytes: number
  /** How many of them the partner held back at one moment, to see that they were in flight together. */
  readonly mostAtPartner: number
}

export interface IdleMeasures {
  readonly startToReadyMs: number
  readonly idleMegabytes: number
}

export const peakTitle = '64 creates of 2 MiB in flight, partner takes 2 s a call'
export const idleTitle = 'Start and rest: spawn to ready, resident memory 2 s later'
const inFlight = 64
const partnerDelayMs = 2000
const waves = 2

export async function measurePeak(candidate: Candidate, bench: Bench): Promise<PeakMeasures> {
  const { standIn } = bench
  const started = await startCandidate(candidate, standIn.url)
  try {
    await standIn.setDelay(partnerDelayMs)
    await standIn.readCounts()
    const driven = await drive({
      urls: [started.url],
      body: serialiseBody('document-2m'),
      connections: inFlight,
      seconds: 20,
      maxRequests: inFlight * waves,
      keyed: candidate.keyed,
    })
    noteFaults(bench, `${candidate.name}, memory`, driven)
    const { maxWaiting } = await standIn.readCounts()
    return { peakMegabytes: started.readPeakRssBytes() / 1e6, mostAtPartner: maxWaiting }
  } finally {
    await standIn.setDelay(0)
    await started.stop()
  }
}

/** Without the preload: nothing but the candidate itself. */
export async function measureIdle(candidate: Candidate, { standIn }: Bench): Promise<IdleMeasures> {
  const started = await startCandidate(candidate, standIn.url, { preloaded: false })
  try {
    await wait(2000)
    return { startToReadyMs: started.startToReadyMs, idleMegabytes: started.readRssBytes() / 1e6 }
  } finally {
    await started.stop()
  }
}
