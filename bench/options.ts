/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util'
import { loads, type Timing } from './loads.ts'

export type Mode = 'full' | 'quick' | 'check' | 'soak' | 'reconciler' | 'replicas'

export interface Options {
  readonly mode: Mode
  readonly timing: Timing
  /** Names of candidates; undefined: all. */
  readonly only: readonly string[] | undefined
  /** The beginning of a load's name; undefined: all. */
  readonly load: string | undefined
}

const timings: Record<Mode, Timing> = {
  full: { rounds: 5, fewRounds: 3, warmSeconds: 12, measureSeconds: 1.5 },
  quick: { rounds: 2, fewRounds: 1, warmSeconds: 3, measureSeconds: 1 },
  check: { rounds: 3, fewRounds: 3, warmSeconds: 12, measureSeconds: 1.5 },
  soak: { rounds: 1, fewRounds: 1, warmSeconds: 3, measureSeconds: 1.5 },
  reconciler: { rounds: 1, fewRounds: 1, warmSeconds: 3, measureSeconds: 1.5 },
  replicas: { rounds: 1, fewRounds: 1, warmSeconds: 3, measureSeconds: 3 },
}

/** The loads of loads.ts, and what is measured otherwise. */
const loadNames = [...loads.map(({ name }) => name), 'mixed', 'memory', 'idle']

export const usage = `npm run bench -- [--quick | --check | --soak | --reconciler | --replicas] [--only <candidate,…>] [--load <name>]

  (none)   every candidate under every load; writes results/latest.json and results/latest.svg
  --quick  the main loads, fewer rounds; writes results/quick.json and results/quick.svg
  --check  compares the ratios between candidates with results/latest.json; fails where one is 20 % worse
  --soak   an hour of typical load in 5 minutes; writes results/soak.json
  --reconciler  how fast 10,000 unknown creates are found out; writes results/reconciler.json
  --replicas    1 to 4 replicas on one Redis and on one PostgreSQL; writes results/replicas.json
  --only   these candidates, by name
  --load   the loads whose name begins so`

export function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      soak: { type: 'boolean', default: false },
      reconciler: { type: 'boolean', default: false },
      replicas: { type: 'boolean', default: false },
      only: { type: 'string' },
      load: { type: 'string' },
    },
  })
  const chosen = (['quick', 'check', 'soak', 'reconciler', 'replicas'] as const).filter((mode) => values[mode])
  if (chosen.length > 1) throw new Error(`--${chosen.join(' and --')} exclude each other`)
  const mode = chosen[0] ?? 'full'
  if (values.load !== undefined && !loadNames.some((name) => name.startsWith(values.load ?? ''))) {
    throw new Error(`no such load: ${values.load}; there are ${loadNames.join(', ')}`)
  }
  return { mode, timing: timings[mode], only: values.only?.split(','), load: values.load }
}
