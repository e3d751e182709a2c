/** The two suites, each in its full length and in one that is short enough for every test run. */
import type { Disaster, Kind } from './disasters.ts'
import { ledgerKey } from './keys.ts'
import { createRandom } from './random.ts'
import type { Suite } from './suite.ts'

/**
 * Some eighth of the defaults. The partner's time-out is what makes a run take long; nothing true depends on it, so on a busy
 * machine there are only more outcomes that take longer to be known.
 */
const settings = {
  DOCS: 'off',
  REQUEST_DEADLINE_MS: '3000',
  CREATE_WAIT_MS: '600',
  PARTNER_CONNECT_TIMEOUT_MS: '1000',
  PARTNER_TIMEOUT_MS: '700',
  PARTNER_SETTLE_MS: '200',
  PARTNER_ABSENT_MS: '1000',
  PARTNER_DOUBT_MS: '1000',
  LEDGER_KEY: ledgerKey,
}

/** The word that nobody knows lasts longer than a create may take, so that only the reconciler can find out. */
const timings = { processingMs: 400, failingMs: 300, byteIntervalMs: 10, unknownWordMs: 4000 }

const full = { intents: 500, callsEach: 4, concurrency: 64, settings, timings, settleWithinMs: 90_000 }
const short = {
  intents: 50,
  callsEach: 4,
  concurrency: 64,
  settings: { ...settings, REQUEST_DEADLINE_MS: '2000', PARTNER_TIMEOUT_MS: '500' },
  timings: { ...timings, unknownWordMs: 2500 },
  settleWithinMs: 30_000,
}

export function makeSqliteSuite(seed: number, isShort: boolean): Suite {
  const kinds: Kind[] = isShort
    ? ['kill a replica']
    : [...Array<Kind>(5).fill('kill a replica'), 'partner down', 'partner down']
  return makeSuite({ name: 'SQLite', ledger: 'sqlite', replicas: 1 }, seed, kinds, isShort)
}

export function makeRedisSuite(seed: number, isShort: boolean): Suite {
  const kinds: Kind[] = isShort
    ? ['kill a replica', 'kill Redis']
    : ['kill a replica', 'roll a replica', 'stop Redis', 'kill Redis', 'partner down']
  return makeSuite({ name: 'Redis', ledger: 'redis', replicas: 3 }, seed, kinds, isShort)
}

type Fleet = Pick<Suite, 'name' | 'ledger' | 'replicas'>

function makeSuite(fleet: Fleet, seed: number, kinds: readonly Kind[], isShort: boolean): Suite {
  return {
    ...(isShort ? short : full),
    ...fleet,
    name: isShort ? `${fleet.name} (short)` : fleet.name,
    seed,
    disasters: spread(seed, kinds, isShort),
  }
}

/** In any order, evenly over the run; over its first half where it is short, as the reconciler then takes longest. */
function spread(seed: number, kinds: readonly Kind[], isShort: boolean): Disaster[] {
  const random = createRandom(seed, 'order')
  const share = (isShort ? 0.5 : 1) / kinds.length
  return random.shuffle(kinds).map((kind, index) => ({ kind, after: (index + 0.3 + 0.4 * random.next()) * share }))
}
