/** `npm run chaos [-- --seed N] [-- --short]`: both suites; exits 1 where a promise was broken. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { hasRedisServer } from './redis-server.ts'
import { type Outcome, runSuite, type Suite } from './suite.ts'
import { makeRedisSuite, makeSqliteSuite } from './suites.ts'
import { summarise } from './summary.ts'

const { values } = parseArgs({ options: { seed: { type: 'string' }, short: { type: 'boolean', default: false } } })
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
if (!Number.isSafeInteger(seed)) throw new Error('--seed must be an integer')

/** Both take a minute or two on two slow cores; whatever hangs must not hang for ever. */
const longestMs = 15 * 60_000
const mostShown = 40

setTimeout(() => {
  console.error(`The run did not end within ${longestMs / 60_000} minutes`)
  process.exit(1)
}, longestMs).unref()

async function run(suite: Suite): Promise<Outcome> {
  const startedAt = performance.now()
  const say = (text: string) => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(`${suite.name}  ${seconds.padStart(5)} s  ${text}`)
  }
  const outcome = await runSuite(suite, say)
  const { broken } = outcome
  const verdict = broken.length === 0 ? 'every promise was kept' : `${broken.length} BROKEN PROMISES`
  const lines = [...summarise(suite, outcome), ...broken.slice(0, mostShown).map((promise) => `BROKEN ${promise}`)]
  console.log([`\n${suite.name}, seed ${seed}: ${verdict}`, ...lines, ''].join('\n  '))
  return outcome
}

console.log(`seed ${seed}: repeat with \`npm run chaos -- --seed ${seed}${values.short ? ' --short' : ''}\`\n`)
const suites = [makeSqliteSuite(seed, values.short)]
if (hasRedisServer()) suites.push(makeRedisSuite(seed, values.short))
else console.log('Redis: SKIPPED, as there is no redis-server on the PATH')

const outcomes: Outcome[] = []
// The short ones mostly wait, so they do it side by side.
if (values.short) outcomes.push(...(await Promise.all(suites.map(run))))
else for (const suite of suites) outcomes.push(await run(suite))
process.exitCode = outcomes.some(({ broken }) => broken.length > 0) ? 1 : 0
