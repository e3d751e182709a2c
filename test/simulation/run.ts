/**
 * `npm run simulate -- [--worlds N] [--from N] [--seed N] [--faults]`: looks for worlds that break a promise. With `--seed` it
 * tells the story of one world, made as small as it can be; with `--faults` it shows that deliberate faults are found.
 */
import { parseArgs } from 'node:util'
import { findDeliberateFaults } from './deliberate-faults.ts'
import { drawPlan } from './draw.ts'
import { finds as oldFinds } from './finds.ts'
import type { History } from './history.ts'
import { findBrokenPromises } from './promises.ts'
import { loadCore } from './replica.ts'
import { runWorlds } from './search.ts'
import { shrink } from './shrink.ts'
import { tellStory } from './story.ts'
import { installVirtualTime } from './virtual-time.ts'
import { runPlan } from './world.ts'

/** In so many worlds everything must be visited. */
const worldsForCoverage = 50_000

const { values } = parseArgs({
  options: {
    worlds: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    /** Which promise the story is about; the first one that breaks where nothing is said. */
    promise: { type: 'string' },
    /** Stops at the first world that breaks a promise. */
    first: { type: 'boolean', default: false },
    /** Runs each world twice and compares the histories. */
    twice: { type: 'boolean', default: false },
    'old-finds': { type: 'boolean', default: false },
    faults: { type: 'boolean', default: false },
  },
})

const from = Number(values.from)
const worlds = Number(values.worlds)

if (values.faults) process.exitCode = (await findDeliberateFaults(from, worlds)) ? 0 : 1
else process.exitCode = (await simulate()) ? 0 : 1

async function simulate(): Promise<boolean> {
  installVirtualTime()
  const core = await loadCore()
  if (values.seed !== undefined) return await tellOf(Number(values.seed))
  if (values.twice) return await compare()
  if (values['old-finds']) return await runOldFinds()
  return await search()

  async function tellOf(seed: number): Promise<boolean> {
    const plan = drawPlan(seed)
    const broken = findBrokenPromises(await runPlan(plan, core))
    const promise = values.promise ?? broken[0]?.promise
    const breaks = async (smaller: typeof plan) =>
      findBrokenPromises(await runPlan(smaller, core)).some((each) => each.promise === promise)
    const least = promise === undefined ? plan : await shrink(plan, breaks)
    const history = await runPlan(least, core)
    console.log(tellStory(history, findBrokenPromises(history)))
    return promise === undefined
  }

  async function compare(): Promise<boolean> {
    const toText = (history: History) => JSON.stringify({ ...history, visited: [...history.visited] })
    let isSame = true
    for (let seed = from; seed < from + worlds; seed++) {
      const [first, second] = [await runPlan(drawPlan(seed), core), await runPlan(drawPlan(seed), core)]
      if (toText(first) === toText(second)) continue
      console.log(`seed ${seed} gave two histories`)
      isSame = false
    }
    return isSame
  }

  async function runOldFinds(): Promise<boolean> {
    let isKept = true
    for (const { seed, lesson } of oldFinds) {
      for (const { promise, text } of findBrokenPromises(await runPlan(drawPlan(seed), core))) {
        console.log(`seed ${seed} (${lesson}) breaks ${promise}: ${text}`)
        isKept = false
      }
    }
    return isKept
  }

  async function search(): Promise<boolean> {
    const { finds, seconds, ran, unvisited } = await runWorlds({ from, worlds, core, stopsAtFirst: values.first })
    const speed = (ran / seconds).toFixed(0)
    console.log(`${ran} worlds, seeds ${from} to ${from + ran - 1}, in ${seconds.toFixed(1)} s: ${speed} a second`)
    console.log(`${finds.length} of them broke a promise`)
    const each = finds.flatMap(({ seed, broken }) => broken.map(({ promise, text }) => ({ seed, promise, text })))
    for (const [shape, own] of Map.groupBy(each, ({ promise, text }) => `${promise}: ${shapeOf(text)}`)) {
      const seeds = [...new Set(own.map(({ seed }) => seed))].slice(0, 8)
      console.log(`${own.length} × ${shape}\n    seeds ${seeds.join(', ')}`)
    }
    if (unvisited.length > 0) console.log(`not visited: ${unvisited.join(' · ')}`)
    return finds.length === 0 && (worlds < worldsForCoverage || unvisited.length === 0)
  }
}

/** What is alike in many worlds. */
function shapeOf(text: string): string {
  return text
    .replace(/\([^)]*asked at [^)]*\)/g, '')
    .replace(/#\d+|key-[\d+]+|client-\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|told at/g, '')
    .replace(/\d[\d.]*/g, 'N')
    .replace(/ {2,}/g, ' ')
}
