/** Typical requests while documents of 2 MiB flow, 8 at a time: what the one costs the other. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { type Candidate, startCandidate } from './candidates.ts'
import type { FlowOptions } from './document-flow.ts'
import { type Driven, drive } from './drive.ts'
import { type Bench, documentWarmShare, noteFaults, serialiseBody } from './loads.ts'
import { stopChild, watchOver } from './process.ts'

export interface MixedMeasures {
  /** Of the typical requests. */
  readonly p50AloneMs: number
  readonly p99AloneMs: number
  readonly p50MixedMs: number
  readonly p99MixedMs: number
  readonly p99Ratio: number
  /** The event loop's. */
  readonly longestStallAloneMs: number
  readonly longestStallMixedMs: number
  readonly typicalPerSecond: number
  readonly documentsPerSecond: number
  readonly peakMegabytes: number
}

export const mixedTitle = 'Typical requests (16 connections) while 2 MiB documents flow, 8 at a time'
const typicalConnections = 16
const documentConnections = 8

export async function measureMixed(candidate: Candidate, bench: Bench): Promise<MixedMeasures> {
  const { standIn, timing } = bench
  const started = await startCandidate(candidate, standIn.url)
  const label = `${candidate.name}, mixed`
  const options = { urls: [started.url], keyed: candidate.keyed }
  const typical = { ...options, body: serialiseBody('typical'), connections: typicalConnections }
  const documents = { ...options, body: serialiseBody('document-2m'), connections: documentConnections }
  const seconds = timing.measureSeconds * 2

  async function driveWatched(): Promise<[Driven, number]> {
    await started.watchStalls()
    const driven = await drive({ ...typical, seconds })
    noteFaults(bench, label, driven)
    return [driven, await started.readLongestStallMs()]
  }

  try {
    noteFaults(bench, `${label}, warm-up`, await drive({ ...typical, seconds: timing.warmSeconds }))
    noteFaults(
      bench,
      `${label}, warm-up with documents`,
      await drive({ ...documents, seconds: timing.warmSeconds * documentWarmShare }),
    )
    const [alone, longestStallAloneMs] = await driveWatched()
    const flow = startFlow({
      url: started.url,
      connections: documentConnections,
      maxSeconds: seconds + 20,
      keyed: candidate.keyed,
    })
    try {
      await wait(1000)
      const [mixed, longestStallMixedMs] = await driveWatched()
      const flown = await flow.finish()
      noteFaults(bench, `${label}, documents`, flown)
      return {
        p50AloneMs: alone.p50Ms,
        p99AloneMs: alone.p99Ms,
        p50MixedMs: mixed.p50Ms,
        p99MixedMs: mixed.p99Ms,
        p99Ratio: mixed.p99Ms / alone.p99Ms,
        longestStallAloneMs,
        longestStallMixedMs,
        typicalPerSecond: mixed.requestsPerSecond,
        documentsPerSecond: flown.requestsPerSecond,
        peakMegabytes: started.readPeakRssBytes() / 1e6,
      }
    } finally {
      await flow.stop()
    }
  } finally {
    await started.stop()
  }
}

function startFlow(options: FlowOptions): { finish(): Promise<Driven>; stop(): Promise<void> } {
  const child = fork(new URL('document-flow.ts', import.meta.url), [JSON.stringify(options)], { execArgv: [] })
  watchOver(child)
  const answered = once(child, 'message') as Promise<[Driven]>
  const exited = once(child, 'exit').then(() => {
    throw new Error('the document flow ended without an answer')
  })
  // Awaited in finish(), perhaps long after it has failed.
  exited.catch(() => {})
  answered.catch(() => {})
  return {
    finish: async () => {
      child.send('stop')
      const [driven] = await Promise.race([answered, exited])
      return driven
    },
    stop: () => stopChild(child),
  }
}
