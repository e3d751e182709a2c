/** A world, drawn from its seed. */
import type { Preference } from '../../src/clients/create/prefer-header.ts'
import type { Call, Course, Fate, Fault, Form, Intent, LedgerMode, Plan, Settings, Step, TroubleMode } from './plan.ts'
import { createRandom, type Random } from './random.ts'
import { applyTheme } from './themes.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

export function drawPlan(seed: number): Plan {
  const random = createRandom(seed, 'plan')
  const settings = drawSettings(random)
  const replicas = random.pick([1, 1, 1, 2, 2, 3])
  const faultsEndAt = random.pick([5_000, 20_000, 60_000, 200_000])
  const intents = drawIntents(random, settings)
  const isFlood = random.chance(0.04)
  const callCount = isFlood ? 12 + random.below(20) : 1 + random.below(3) + (intents.length - 1)
  const calls = Array.from({ length: callCount }, () =>
    drawCall(random, intents.length, replicas, faultsEndAt, isFlood),
  )
  const faults = Array.from({ length: random.pick([0, 1, 1, 2, 2, 3, 5]) }, () =>
    drawFault(random, replicas, faultsEndAt),
  )
  const isForever = intents.some(({ course }) => course.fate === 'process-forever')
  const isLate = intents.some(({ course }) => course.registersAfterMs > settings.absentMs || course.asks.some(isDoubt))
  // The reconciler pauses for 5 min at most, and each strange answer costs one more question.
  const mostAsks = Math.max(...intents.map(({ course }) => course.asks.length))
  const usualRestMs = Math.max(25, 5 * (mostAsks + 2)) * minuteMs
  return applyTheme({
    seed,
    settings,
    replicas,
    ledgerMs: random.pick([0, 0, 0, 2, 20]),
    networkMs: Math.min(random.pick([1, 5, 40, 300]), settings.timeoutMs / 20),
    repeats: random.pick(['refuses', 'refuses', 'refuses', 'refuses-oddly', 'accepts', 'answers-again']),
    intents,
    calls: calls.sort((a, b) => a.at - b.at),
    faults,
    faultsEndAt,
    restMs: isLate && !isForever ? (random.chance(0.1) ? 40 * hourMs : 100 * minuteMs) : usualRestMs,
  })
}

function isDoubt({ form }: Step): boolean {
  return form === 'error-error'
}

function drawSettings(random: Random): Settings {
  const deadlineMs = random.pick([25_000, 25_000, 8_000, 3_000])
  return {
    scheme: random.pick(['jws', 'jws', 'sign']),
    deadlineMs,
    waitMs: random.pick([5_000, 5_000, 1_000, 0]),
    connectTimeoutMs: random.pick([3_000, 500]),
    timeoutMs: random.pick([15_000, 4_000, 1_000]),
    settleMs: random.pick([2_000, 2_000, 500]),
    absentMs: random.pick([60_000, 60_000, 20_000]),
    doubtMs: random.pick([60_000, 60_000, 20_000]),
    resends: random.chance(0.6),
    places: random.pick([64, 64, 4, 2, 1]),
    waiting: random.pick([2_000, 2_000, 2, 1]),
    concurrency: random.pick([16, 16, 2, 1]),
    retentionMs: random.chance(0.03) ? 10 * minuteMs : 168 * hourMs,
  }
}

/** Mostly one or two persons; sometimes two under one key, which is a mistake of the caller's. */
function drawIntents(random: Random, settings: Settings): Intent[] {
  const count = random.pick([1, 1, 1, 2, 2, 3])
  const intents: Intent[] = []
  for (let index = 0; index < count; index++) {
    const first = intents[0]
    const isSameKey = first?.key !== undefined && random.chance(0.3)
    intents.push({
      caller: isSameKey ? first.caller : random.pick(['shop', 'bank']),
      key: isSameKey ? first.key : random.chance(0.85) ? `key-${index}` : undefined,
      phone: 998_900_000_000 + index,
      course: drawCourse(random, settings),
    })
  }
  return intents
}

const fates: readonly Fate[] = [
  ...Array<Fate>(6).fill('created'),
  ...Array<Fate>(4).fill('process-created'),
  'process-rejected',
  'process-forever',
  'refused',
]

const addForms: readonly Form[] = [
  'http-500',
  'http-503',
  'html-200',
  'html-404',
  'http-400',
  'http-401',
  'http-403',
  'http-429',
  'http-202',
  'http-302',
  'empty',
  'truncated',
  'reset',
  'reset',
  'silence',
  'silence',
  'drip',
  'huge',
  'unknown-word',
  'unknown-status',
  'missing-member',
  'ok-error',
]
/** The partner has not taken what it answers so. */
const neverActs: readonly Form[] = ['http-401', 'http-403', 'http-429']

const askForms: readonly Form[] = [
  'http-500',
  'http-503',
  'html-200',
  'html-404',
  'html-404',
  'http-400',
  'http-401',
  'http-403',
  'http-429',
  'http-202',
  'http-302',
  'empty',
  'truncated',
  'reset',
  'silence',
  'drip',
  'huge',
  'unknown-word',
  'unknown-status',
  'missing-member',
  'error-error',
  'error-error',
  'error-error',
  'error-alone',
  'duplicate',
  'unsafe-id',
  'blank-id',
  'long-id',
  'control-id',
  'no-id',
]

function drawCourse(random: Random, settings: Settings): Course {
  const adds = Array.from({ length: random.pick([0, 0, 1, 1, 2]) }, () => drawStep(random, addForms, settings))
  const fate = random.pick(fates)
  return {
    fate,
    decidesAfterMs: random.pick([300, 2_000, 8_000, 40_000, 150_000]) * (0.5 + random.next()),
    registersAfterMs: drawLateness(random, settings),
    forgetsAfterMs: random.chance(0.04) ? random.ms(0, 30_000) : undefined,
    adds,
    asks: drawAsks(random, settings),
  }
}

/** Mostly at once; some within the documented limit, even at its end; some after it. */
function drawLateness(random: Random, { absentMs, settleMs }: Settings): number {
  const kind = random.next()
  if (kind < 0.6) return 0
  if (kind < 0.75) return random.ms(0, settleMs * 2)
  if (kind < 0.92) return random.ms(0, absentMs * 0.98)
  return random.ms(absentMs, 10 * minuteMs)
}

function drawAsks(random: Random, settings: Settings): Step[] {
  if (random.chance(0.5)) return []
  const form = random.pick(askForms)
  const isSame = random.chance(0.5)
  return Array.from({ length: 1 + random.below(6) }, () =>
    isSame
      ? { form, acts: false, delayMs: drawDelay(random, settings) }
      : drawStep(random, [...askForms, 'truth'], settings),
  )
}

function drawStep(random: Random, forms: readonly Form[], settings: Settings): Step {
  const form = random.pick(forms)
  return { form, acts: !neverActs.includes(form) && random.chance(0.6), delayMs: drawDelay(random, settings) }
}

function drawDelay(random: Random, { timeoutMs }: Settings): number {
  const kind = random.next()
  if (kind < 0.7) return random.ms(1, 200)
  return kind < 0.9 ? random.ms(0, timeoutMs) : random.ms(timeoutMs * 0.8, timeoutMs * 1.5)
}

function drawCall(random: Random, intents: number, replicas: number, faultsEndAt: number, isFlood: boolean): Call {
  return {
    at: isFlood || random.chance(0.6) ? random.ms(0, 1_000) : random.ms(0, faultsEndAt),
    intent: random.below(intents),
    replica: random.below(replicas),
    wait: random.chance(0.5)
      ? undefined
      : random.pick<Preference['wait']>(['until-accepted', 0, 1_000, 3_000, 10_000, 25_000]),
    habit: random.pick(['leaves', 'repeats', 'repeats', 'takes-a-new-key', 'takes-a-new-key', 'reads', 'reads']),
    tries: 1 + random.below(3),
    pauseMs: random.pick([50, 1_000, 10_000, 70_000]) * (0.5 + random.next()),
  }
}

/** The calls at which a process may die or stand still. */
const places = [
  'claim',
  'renew',
  'record',
  'takeDue',
  'postpone',
  'find',
  'findByKey',
  'add',
  'add',
  'add',
  'status',
  'status',
]
const ledgerModes: readonly LedgerMode[] = ['fails-before', 'fails-after', 'stalls', 'full']
const troubles: readonly TroubleMode[] = [
  'refused',
  'dns',
  'tls',
  'connect-timeout',
  'http-503',
  'silence',
  'slow',
  'http-429',
]

function drawFault(random: Random, replicas: number, faultsEndAt: number): Fault {
  const replica = random.below(replicas)
  const at = random.ms(0, random.chance(0.5) ? 3_000 : faultsEndAt)
  const place = random.pick(places)
  const nth = 1 + random.below(place === 'takeDue' ? 20 : 4)
  const shortly = Math.min(random.pick([200, 2_000, 20_000, 120_000]) * (0.5 + random.next()), faultsEndAt - at)
  switch (random.below(12)) {
    case 0:
    case 1:
      return {
        kind: 'death',
        replica,
        place,
        nth,
        isBefore: random.chance(0.4),
        downMs: random.pick([100, 3_000, 30_000]),
      }
    case 2:
      return { kind: 'death-at', replica, at, downMs: random.pick([100, 3_000, 30_000]) }
    case 3:
    case 4:
      return { kind: 'freeze', replica, place, nth, forMs: random.ms(500, minuteMs), isInputFirst: random.chance(0.3) }
    case 5:
      return {
        kind: 'wall-clock',
        replica: random.chance(0.3) ? -1 : replica,
        at,
        byMs: random.pick([-1, 1]) * random.ms(100, 10 * minuteMs),
      }
    case 6:
      return { kind: 'ledger', mode: random.pick(ledgerModes), from: at, forMs: shortly }
    case 7:
    case 8:
      return {
        kind: 'ledger-call',
        mode: random.pick(ledgerModes),
        place: random.pick(places.slice(0, 7)),
        nth,
        forMs: random.ms(100, 10_000),
      }
    case 9:
      return random.chance(0.4)
        ? { kind: 'ledger-loses', at, lastMs: random.pick([1_000, 1_000, Infinity]) }
        : { kind: 'stale', nth: 1 + random.below(6), arrives: random.chance(0.5) }
    case 10:
      return { kind: 'trouble', mode: random.pick(troubles), from: at, forMs: shortly }
    default:
      return { kind: 'cut', nth: 1 + random.below(6), arrives: random.chance(0.5), afterMs: random.ms(0, 2_000) }
  }
}
