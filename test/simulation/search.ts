/** Runs many worlds. */
import { Coverage } from './coverage.ts'
import { drawPlan } from './draw.ts'
import { type BrokenPromise, findBrokenPromises } from './promises.ts'
import type { Core } from './replica.ts'
import { realNow, turnForReal } from './virtual-time.ts'
import { runPlan } from './world.ts'

export interface Find {
  readonly seed: number
  readonly broken: BrokenPromise[]
}

export interface Search {
  readonly from: number
  readonly worlds: number
  readonly core: Core
  readonly stopsAtFirst?: boolean
}

export interface Found {
  readonly finds: Find[]
  readonly seconds: number
  readonly ran: number
  /** What no world has visited. */
  readonly unvisited: readonly string[]
}

/** Worlds that live side by side share the turns of the real event loop; more of them no longer fit into the processor's caches. */
const lanes = 4

export async function runWorlds({ from, worlds, core, stopsAtFirst }: Search): Promise<Found> {
  const startedAt = realNow()
  const finds: Find[] = []
  const coverage = new Coverage()
  // Many an error is made in a world and few are looked at; the story of a world tells where each came from.
  Error.stackTraceLimit = 0
  let next = from

  async function run(): Promise<void> {
    while (next < from + worlds && !(stopsAtFirst && finds.length > 0)) {
      const seed = next++
      await turnForReal()
      const history = await runPlan(drawPlan(seed), core)
      const broken = findBrokenPromises(history)
      if (broken.length > 0) finds.push({ seed, broken })
      coverage.add(history)
    }
  }

  await Promise.all(Array.from({ length: lanes }, run))
  finds.sort((a, b) => a.seed - b.seed)
  return { finds, unvisited: coverage.unvisited(), ran: next - from, seconds: (realNow() - startedAt) / 1000 }
}
