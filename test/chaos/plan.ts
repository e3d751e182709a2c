/** What a run will ask for, made from its seed alone: the intents, their bodies, and who calls when. */

import type { CreateClient } from '../../src/clients/body/schema.ts'
import { createFingerprint, toRequestId } from '../../src/clients/create/idempotency-key.ts'
import { ledgerKey } from './keys.ts'
import { createRandom, type Random } from './random.ts'

/** One client that somebody wants: one key, one body, one request_id. */
export interface Intent {
  readonly key: string
  readonly requestId: string
  readonly scenario: string
  readonly body: CreateClient
  /** Its callers do not come back when something goes wrong, so that only the service itself can find out. */
  readonly isAbandoned: boolean
  /** What is sent for it stands still on its way; see line.ts. */
  readonly isSlow: boolean
}

/** One caller that wants it; several want the same, as after a double click or a lost answer. */
export interface Call {
  readonly number: number
  readonly intent: Intent
}

export interface PlanOptions {
  readonly intents: number
  readonly callsEach: number
  /** How many calls lie between the first and the last one of an intent, at most. */
  readonly spread: number
  /** 1: as above. */
  readonly faultShare: number
}

export interface Plan {
  readonly intents: readonly Intent[]
  readonly calls: readonly Call[]
}

/** Words that occur in every body and nowhere else: none of them may ever be found in a log or a ledger. */
export const canaries = ['Kanarienvogel', 'kanarienvogel', 'KNRVGL'] as const
/** Every phone number begins like this, five digits that no other number of a run begins with. */
export const phonePrefix = '99890'

/** Who calls without credentials. */
const caller = 'anonymous'

/** Percent of the intents; the rest succeeds at once. The two that take a whole deadline, 005 and 012, are not too many. */
const shares: Readonly<Record<string, number>> = {
  '001': 8,
  '002': 5,
  '003': 7,
  '004': 8,
  '005': 5,
  '006': 5,
  '007': 6,
  '008': 4,
  '009': 4,
  '010': 2,
  '011': 3,
  '012': 4,
  '013': 5,
  '014': 4,
  '015': 4,
  '016': 3,
}

const abandonedShare = 0.35
const slowShare = 0.16
const abandonedSpread = 6

const fingerprint = createFingerprint(ledgerKey)

export function makePlan(seed: number, options: PlanOptions): Plan {
  const { callsEach, spread: longestSpread } = options
  const random = createRandom(seed, 'plan')
  const scenarios = random.shuffle(dealScenarios(options, random))
  const intents = scenarios.map((scenario, index): Intent => {
    const key = `chaos-${seed}-${index}`
    const body = makeBody(index, scenario, random)
    return {
      key,
      requestId: toRequestId(caller, key, fingerprint(body)),
      scenario,
      body,
      isAbandoned: random.chance(abandonedShare),
      isSlow: random.chance(slowShare),
    }
  })
  const placed = intents.flatMap((intent, index) => {
    const spread = intent.isAbandoned ? abandonedSpread : longestSpread
    return Array.from({ length: callsEach }, () => ({ intent, at: index * callsEach + random.next() * spread }))
  })
  placed.sort((a, b) => a.at - b.at)
  return { intents, calls: placed.map(({ intent }, number) => ({ number, intent })) }
}

/** Every scenario at least once, however few the intents are. */
function dealScenarios({ intents: count, faultShare }: PlanOptions, random: Random): string[] {
  const faulty = Object.entries(shares).flatMap(([scenario, percent]) =>
    Array<string>(Math.max(1, Math.round((count * percent * faultShare) / 100))).fill(scenario),
  )
  const easy = Array.from({ length: Math.max(0, count - faulty.length) }, () => String(random.integer(100, 999)))
  return [...faulty, ...easy].slice(0, count)
}

function makeBody(index: number, scenario: string, random: Random): CreateClient {
  const phone = `+${phonePrefix}${String(index).padStart(5, '0')}${scenario}`
  const body = { phone, firstName: canaries[0], email: `${canaries[1]}.${index}@example.com` }
  return random.chance(0.5) ? body : { ...body, personId: `${canaries[2]}${index}`, birthDate: '1990-02-28' }
}
