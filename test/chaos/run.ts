/**
 * `npm run chaos [-- --seed N] [-- --short | --long | --failover] [-- --only sqlite,redis,…] [-- --lag ms]`: every suite; exits 1
 * where a promise was broken. `--long`: 100,000 creates. `--failover`: 20,000 creates through five failovers, on PostgreSQL and on
 * Redis; the one on Redis only shows what is lost.
 */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { skipPostgres } from '../fixtures/postgres.ts'
import { findBrokenPromises } from './promises.ts'
import { hasRedisServer } from './redis-server.ts'
import { type Outcome, runSuite } from './suite.ts'
import { type Length, makeSuite, type SuiteName, suites } from './suites.ts'
import { summarise } from './summary.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    short: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    failover: { type: 'boolean', default: false },
    only: { type: 'string' },
    lag: { type: 'string' },
  },
})
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed)
if (!Number.isSafeInteger(seed)) throw new Error('--seed must be an integer')
const length: Length = values.long || values.failover ? 'long' : values.short ? 'short' : 'full'

/** Whatever hangs must not hang for ever. */
const longestMs = { short: 5, full: 30, long: 120 }[length] * 60_000
const mostShown = 40
const mostStories = 5

/** Node prints neither the error of a suite nor the one of its clean-up if both have failed. */
function tell(error: unknown): void {
  if (!(error instanceof SuppressedError)) {
    console.error(error)
    return
  }
  tell(error.suppressed)
  tell(error.error)
}
process.on('uncaughtException', (error) => {
  tell(error)
  process.exit(1)
})

setTimeout(() => {
  console.error(`The run did not end within ${longestMs / 60_000} minutes`)
  process.exit(1)
}, longestMs).unref()

/** Whether every promise was kept that this suite is to keep. */
async function run(name: SuiteName): Promise<boolean> {
  const startedAt = performance.now()
  const suite = makeSuite(name, seed, length, values.lag === undefined ? undefined : Number(values.lag))
  const outcome = await runSuite(suite, (text) => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(`${suite.name}  ${seconds.padStart(5)} s  ${text}`)
  })
  const isShow = name === 'laggingRedis'
  const broken = isShow ? findBrokenPromises({ ...outcome.history, losses: [] }) : outcome.broken
  const byPromise = [...Map.groupBy(broken, (text) => text.split(':', 1)[0])].map(([of, all]) => `${of} ${all.length}`)
  const verdict = broken.length === 0 ? 'every promise was kept' : `${broken.length} BROKEN PROMISES`
  const shown = isShow ? byPromise : [...byPromise, ...broken.slice(0, mostShown).map((text) => `BROKEN ${text}`)]
  console.log([`\n${suite.name}, seed ${seed}: ${verdict}`, ...summarise(suite, outcome), ...shown, ''].join('\n  '))
  if (!isShow) tellStories(outcome)
  return isShow || broken.length === 0
}

/** Of the first creates with a broken promise, as nothing else tells what happened to them. */
function tellStories({ broken, history, stories }: Outcome): void {
  const keys = new Set(broken.map((text) => /chaos-\d+-\d+/.exec(text)?.[0]))
  const told = history.intents.filter(({ key }) => keys.has(key)).slice(0, mostStories)
  for (const { key, requestId } of told) {
    console.log([`story of ${key}, ${requestId}`, ...(stories.get(requestId) ?? [])].join('\n    '))
  }
}

function whySkipped(name: SuiteName): string | false {
  const { ledger } = suites[name]
  if (ledger === 'postgres pair') return skipPostgres
  return ledger.startsWith('redis') && !hasRedisServer() && 'there is no redis-server on the PATH'
}

function chooseNames(): SuiteName[] {
  const wanted = values.only?.split(',')
  return (Object.keys(suites) as SuiteName[]).filter((name) => {
    if (wanted !== undefined) return wanted.includes(name)
    return values.failover ? name === 'postgres' || name === 'laggingRedis' : name !== 'laggingRedis'
  })
}

const words = process.argv.slice(2).filter((word, i, all) => word !== '--seed' && all[i - 1] !== '--seed')
console.log(`seed ${seed}: repeat with \`npm run chaos -- ${[...words, '--seed', seed].join(' ')}\`\n`)
for (const name of chooseNames()) {
  const reason = whySkipped(name)
  if (reason !== false) console.log(`${suites[name].name}: SKIPPED, as ${reason}\n`)
  else if (!(await run(name))) process.exitCode = 1
}
