/**
 * `npm run simulate -- [--worlds N] [--from N] [--seed N] [--faults]`: looks for a world that breaks a promise. With `--seed` it
 * tells the story of one world, made as small as it can be.
 */
import { parseArgs } from 'node:util'
import { drawPlan } from './draw.ts'
import { findBrokenPromises } from './promises.ts'
import { loadCore } from './replica.ts'
import { runWorlds } from './search.ts'
import { shrink } from './shrink.ts'
import { tellStory } from './story.ts'
import { installVirtualTime } from './virtual-time.ts'
import { runPlan } from './world.ts'

/** In so many worlds everything must be visited. */
const worldsForCoverage = 100_000

const { values } = parseArgs({
  options: {
    worlds: { type: 'string', default: '20000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    promise: { type: 'string' },
    first: { type: 'boolean', default: false },
    faults: { type: 'boolean', default: false },
  },
})

installVirtualTime()
const core = await loadCore()
if (values.seed !== undefined) await tellOf(Number(values.seed), values.promise)
else await search(Number(values.from), Number(values.worlds))

async function tellOf(seed: number, named: string | undefined): Promise<void> {
  const plan = drawPlan(seed)
  const broken = findBrokenPromises(await runPlan(plan, core))
  const promise = named ?? broken[0]?.promise
  const breaks = async (smaller: typeof plan) =>
    findBrokenPromises(await runPlan(smaller, core)).some((each) => each.promise === promise)
  const least = promise === undefined ? plan : await shrink(plan, breaks)
  const history = await runPlan(least, core)
  console.log(tellStory(history, findBrokenPromises(history)))
  process.exitCode = promise === undefined ? 0 : 1
}

async function search(from: number, worlds: number): Promise<void> {
  const found = await runWorlds({ from, worlds, core, stopsAtFirst: values.first })
  const { finds, seconds, ran, unvisited } = found
  console.log(`${ran} worlds, seeds ${from} to ${from + ran - 1}, in ${seconds.toFixed(1)} s: ${(ran / seconds).toFixed(0)} a second`)
  console.log(`${finds.length} of them broke a promise`)
  const each = finds.flatMap(({ seed, broken }) => broken.map(({ promise, text }) => ({ seed, promise, text })))
  for (const [shape, own] of Map.groupBy(each, ({ promise, text }) => `${promise}: ${shapeOf(text)}`)) {
    console.log(`${own.length} × ${shape}\n    seeds ${[...new Set(own.map(({ seed }) => seed))].slice(0, 8).join(', ')}`)
  }
  if (unvisited.length > 0) console.log(`not visited: ${unvisited.join(' · ')}`)
  const isComplete = worlds < worldsForCoverage || unvisited.length === 0
  process.exitCode = finds.length === 0 && isComplete ? 0 : 1
}

/** What is alike in many worlds. */
function shapeOf(text: string): string {
  return text
    .replace(/\([^)]*asked at [^)]*\)/g, '')
    .replace(/#\d+|key-[\d+]+|client-\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|told at/g, '')
    .replace(/\d[\d.]*/g, 'N')
    .replace(/ {2,}/g, ' ')
}
