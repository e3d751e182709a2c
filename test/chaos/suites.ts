/** The suites: each in a length for every test run, in its full one, and in one of 20,000 creates. */
import type { Disaster, Kind } from './disasters.ts'
import { ledgerKey } from './keys.ts'
import { createRandom } from './random.ts'
import type { Suite } from './suite.ts'

export type Length = 'short' | 'full' | 'long'

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

/**
 * The word that nobody knows lasts longer than a create may take, so that only the reconciler can find out. What is registered
 * late is so before "no such request" may be believed.
 */
const timings = {
  processingMs: 400,
  failingMs: 300,
  byteIntervalMs: 10,
  unknownWordMs: 4000,
  lateMs: 700,
  hiddenMs: 400,
}

const full = {
  intents: 500,
  callsEach: 4,
  spread: 160,
  faultShare: 1,
  concurrency: 64,
  settings,
  timings,
  settleWithinMs: 300_000,
}
const lengths = {
  full,
  short: {
    ...full,
    intents: 50,
    settings: { ...settings, REQUEST_DEADLINE_MS: '2000', PARTNER_TIMEOUT_MS: '500' },
    timings: { ...timings, unknownWordMs: 2500 },
    settleWithinMs: 120_000,
  },
  // Longer times, as a machine that has so much to do is late by itself, and a partner that is never there proves nothing.
  long: {
    ...full,
    intents: 5000,
    faultShare: 0.4,
    settings: {
      ...settings,
      REQUEST_DEADLINE_MS: '6000',
      PARTNER_CONNECT_TIMEOUT_MS: '2000',
      PARTNER_TIMEOUT_MS: '2000',
      PARTNER_ABSENT_MS: '3000',
    },
    timings: { ...timings, unknownWordMs: 7000 },
    settleWithinMs: 600_000,
  },
}

type Rest = Pick<Suite, 'name' | 'ledger' | 'replicas'> &
  Partial<Pick<Suite, 'acceptsRepeats' | 'lagMs'>> & {
    readonly mayResend?: boolean
    readonly kinds: Readonly<Record<Length, readonly Kind[]>>
  }

const times = (count: number, kind: Kind) => Array<Kind>(count).fill(kind)

const sqlite: Rest = {
  name: 'SQLite',
  ledger: 'sqlite',
  replicas: 1,
  kinds: {
    short: ['kill a replica'],
    full: [...times(5, 'kill a replica'), ...times(2, 'partner down')],
    long: [...times(10, 'kill a replica'), ...times(4, 'partner down')],
  },
}

const all: readonly Kind[] = ['kill a replica', 'roll a replica', 'stop Redis', 'kill Redis', 'partner down']
const redis: Rest = {
  name: 'Redis',
  ledger: 'redis',
  replicas: 3,
  kinds: { short: ['kill a replica', 'kill Redis'], full: all, long: [...all, ...all] },
}

/** `PARTNER_RESEND=false` is enough to run with a partner that makes a second client of a repeated request_id. */
const acceptingPartner: Rest = {
  name: 'Partner that accepts repetitions',
  ledger: 'redis',
  replicas: 3,
  acceptsRepeats: true,
  mayResend: false,
  kinds: {
    short: ['stop a replica after its claim'],
    full: [...times(3, 'stop a replica after its claim'), 'kill a replica', 'partner down', 'kill Redis'],
    long: [...times(6, 'stop a replica after its claim'), ...times(2, 'kill a replica'), 'partner down', 'kill Redis'],
  },
}

/** With a partner that knows its request_ids there is one client for each intent even then. */
const forgetfulRedis: Rest = {
  name: 'Redis that loses its last second',
  ledger: 'redis',
  replicas: 3,
  kinds: {
    short: ['Redis loses its last second'],
    full: [...times(3, 'Redis loses its last second'), 'kill a replica'],
    long: [...times(6, 'Redis loses its last second'), ...times(3, 'kill a replica')],
  },
}

/** The ledger alone prevents a second client. */
const postgres: Rest = {
  name: 'PostgreSQL, failing over',
  ledger: 'postgres pair',
  replicas: 3,
  acceptsRepeats: true,
  mayResend: false,
  kinds: {
    short: ['fail over PostgreSQL'],
    full: [...times(3, 'fail over PostgreSQL'), 'kill a replica'],
    long: times(5, 'fail over PostgreSQL'),
  },
}

/** It shows what is lost, and keeps no promise. */
const laggingRedis: Rest = {
  name: 'Redis, failing over',
  ledger: 'redis pair',
  replicas: 3,
  acceptsRepeats: true,
  mayResend: false,
  kinds: {
    short: ['fail over Redis'],
    full: times(3, 'fail over Redis'),
    long: times(5, 'fail over Redis'),
  },
}

export const suites = { sqlite, redis, acceptingPartner, forgetfulRedis, postgres, laggingRedis }
export type SuiteName = keyof typeof suites

export function makeSuite(name: SuiteName, seed: number, length: Length, lagMs = 1000): Suite {
  const { kinds, mayResend = true, ...rest } = suites[name]
  const { settings: shared, ...sizes } = lengths[length]
  return {
    acceptsRepeats: false,
    lagMs,
    ...sizes,
    ...rest,
    name: `${rest.name} (${length})`,
    settings: { ...shared, PARTNER_RESEND: String(mayResend) },
    seed,
    disasters: spread(seed, kinds[length], length === 'short'),
  }
}

/** In any order, evenly over the run; over its first half where it is short, as the reconciler then takes longest. */
function spread(seed: number, kinds: readonly Kind[], isShort: boolean): Disaster[] {
  const random = createRandom(seed, 'order')
  const share = (isShort ? 0.5 : 1) / kinds.length
  return random.shuffle(kinds).map((kind, index) => ({ kind, after: (index + 0.3 + 0.4 * random.next()) * share }))
}
