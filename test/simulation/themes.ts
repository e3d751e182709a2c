/**
 * Corners that chance alone comes to too seldom, as several things must meet in one order: some worlds are drawn around them.
 * A stream of its own decides, so that all other worlds stay as they are.
 */
import type { Call, Course, Intent, Plan, Step } from './plan.ts'
import { createRandom, type Random } from './random.ts'

type Theme = (plan: Plan, random: Random) => Plan

const themeShare = 0.08
const unansweredShare = 0.02
const minuteMs = 60_000

export function applyTheme(plan: Plan): Plan {
  const random = createRandom(plan.seed, 'corners')
  if (random.chance(themeShare)) return random.pick(themes)(plan, random)
  const another = createRandom(plan.seed, 'unanswered claims')
  return another.chance(unansweredShare) ? unansweredClaim(plan, another) : plan
}

const plainCourse: Course = {
  fate: 'created',
  decidesAfterMs: 0,
  registersAfterMs: 0,
  forgetsAfterMs: undefined,
  adds: [],
  asks: [],
}
const plainCall: Call = { at: 0, intent: 0, replica: 0, wait: undefined, habit: 'repeats', tries: 1, pauseMs: 1_000 }

function intentOf(number: number, course: Partial<Course>): Intent {
  const key = `key-${number}`
  return { caller: 'shop', key, phone: 998_900_000_000 + number, course: { ...plainCourse, ...course } }
}

/**
 * A process stands still with a claim in its hands. By the time it goes on, another one has the claim, has sent, and waits for an
 * answer that takes long.
 */
const outlivedClaim: Theme = (plan, random) => {
  const deadlineMs = 3_000
  const awayMs = random.ms(deadlineMs + 1_000, 12_000)
  const form = random.pick(['silence', 'drip', 'truth', 'reset'] as const)
  const slow: Step = { form, acts: true, delayMs: random.ms(1_000, 4_000) }
  return {
    ...plan,
    replicas: 2,
    repeats: 'refuses',
    settings: { ...plan.settings, deadlineMs, timeoutMs: 4_000, settleMs: 500, resends: true, places: 64 },
    intents: [intentOf(0, { adds: [slow, slow], registersAfterMs: random.pick([0, 0, 500]) })],
    calls: [
      { ...plainCall, habit: 'reads', tries: 2, pauseMs: 100 },
      { ...plainCall, at: random.ms(deadlineMs, awayMs), replica: 1, habit: 'reads', tries: 2, pauseMs: 50 },
      {
        ...plainCall,
        at: random.ms(deadlineMs, awayMs + 3_000),
        replica: random.below(2),
        habit: 'reads',
        pauseMs: 50,
      },
    ],
    faults: [
      { kind: 'freeze', replica: 0, place: 'claim', nth: 1, forMs: awayMs, isInputFirst: random.chance(0.3) },
      ...plan.faults.slice(0, random.below(2)),
    ],
    faultsEndAt: minuteMs,
  }
}

/** "No such request" was concluded of a create that comes late; its key comes again while the partner cannot be reached. */
const lateAndUnreachable: Theme = (plan, random) => {
  const absentMs = 20_000
  const deadlineMs = random.pick([3_000, 8_000])
  const concludedAt = deadlineMs + absentMs + 5_000
  const lost: Step = { form: random.pick(['silence', 'reset', 'http-500'] as const), acts: true, delayMs: 5 }
  const isForgotten = random.chance(0.3)
  const late = isForgotten
    ? { forgetsAfterMs: random.ms(0, 500) }
    : { registersAfterMs: random.ms(absentMs + deadlineMs, 5 * minuteMs) }
  const mode = random.pick(['refused', 'dns', 'tls', 'connect-timeout', 'http-429'] as const)
  return {
    ...plan,
    settings: { ...plan.settings, deadlineMs, timeoutMs: 1_000, absentMs, resends: true, places: 64 },
    // A second send of the same request would be another client of a partner that takes it.
    repeats: 'refuses',
    intents: [intentOf(0, { adds: [lost, lost, lost], ...late })],
    calls: [
      { ...plainCall, habit: 'leaves' },
      {
        ...plainCall,
        at: random.ms(concludedAt, 90_000),
        replica: random.below(plan.replicas),
        habit: 'takes-a-new-key',
        tries: 2,
      },
    ],
    faults: [{ kind: 'trouble', mode, from: concludedAt, forMs: 100_000 }, ...plan.faults.slice(0, random.below(2))],
    faultsEndAt: 200_000,
    restMs: 100 * minuteMs,
  }
}

/** The partner says nothing but doubtful errors until they are believed; then it tells of a client. */
const believedTooEarly: Theme = (plan, random) => {
  const doubt: Step = { form: 'error-error', acts: false, delayMs: random.ms(1, 500) }
  const deadlineMs = 3_000
  return spareDoubts({
    ...plan,
    settings: { ...plan.settings, deadlineMs, doubtMs: 20_000, waitMs: 1_000 },
    intents: [
      intentOf(0, {
        fate: random.pick(['created', 'process-created'] as const),
        decidesAfterMs: random.ms(300, 90_000),
        adds: [{ form: random.pick(['reset', 'silence', 'http-500'] as const), acts: true, delayMs: 5 }],
        asks: Array.from({ length: 6 + random.below(6) }, () => doubt),
      }),
    ],
    calls: [
      { ...plainCall, habit: 'reads', tries: 3, pauseMs: random.ms(5_000, 70_000) },
      { ...plainCall, at: random.ms(0, minuteMs), replica: random.below(plan.replicas), habit: 'reads' },
    ],
    // The last question is asked after a day.
    restMs: 40 * 60 * minuteMs,
  })
}

/** Sometimes the doubtful errors are too few to be believed, or the partner says in between that it has the request. */
function spareDoubts(plan: Plan): Plan {
  const random = createRandom(plan.seed, 'few doubts')
  const [intent] = plan.intents
  const doubts = intent?.course.asks ?? []
  const [doubt] = doubts
  if (intent === undefined || doubt === undefined || random.chance(0.5)) return plan
  const plain: Step = { form: 'truth', acts: false, delayMs: 5 }
  const lost: Step = { ...plain, form: random.pick(['reset', 'http-500'] as const) }
  const some = (least: number) => Array.from({ length: least + random.below(6) }, () => lost)
  const isInterrupted = random.chance(0.5)
  const asks = isInterrupted ? doubts.flatMap((each) => [plain, each]) : [...some(2), doubt, ...some(3), doubt]
  const calls: Call[] = [{ ...plainCall, habit: 'reads', pauseMs: random.ms(20_000, 80_000) }]
  return {
    ...plan,
    intents: [{ ...intent, course: { ...intent.course, asks } }],
    // A create asks, too; what it hears ends no row of doubtful errors that the reconciler has heard.
    calls: isInterrupted ? calls : plan.calls,
  }
}

/** A key whose outcome is final comes again while every place is taken, and something goes wrong just then. */
const replayWithoutPlace: Theme = (plan, random) => {
  const deadlineMs = 8_000
  const slow: Step = { form: 'truth', acts: true, delayMs: 3_000 }
  const replicas = random.pick([1, 1, 2])
  const nth = 1 + random.below(3)
  const seats = Array.from({ length: replicas }, (_, replica) => replica)
  const place = 'findByKey'
  const fault = random.pick([
    { kind: 'death', replica: 0, place, nth, isBefore: random.chance(0.5), downMs: 3_000 },
    { kind: 'freeze', replica: 0, place, nth, forMs: random.ms(500, 5_000), isInputFirst: random.chance(0.3) },
    ...(['fails-before', 'fails-after', 'stalls', 'full'] as const).map((mode) => ({
      kind: 'ledger-call' as const,
      mode,
      place,
      nth,
      forMs: 1_000,
    })),
  ] as const)
  return {
    ...plan,
    replicas,
    settings: { ...plan.settings, deadlineMs, timeoutMs: 4_000, places: 1 },
    intents: [
      intentOf(0, { fate: random.pick(['created', 'created', 'refused'] as const) }),
      ...seats.map((replica) => intentOf(1 + replica, { adds: [slow] })),
    ],
    calls: [
      { ...plainCall, habit: 'leaves' },
      ...seats.map((replica) => ({ ...plainCall, at: 5_000, intent: 1 + replica, replica })),
      ...Array.from({ length: 4 }, () => ({
        ...plainCall,
        at: random.ms(5_100, 7_500),
        replica: random.below(replicas),
        tries: 2,
      })),
    ],
    faults: [fault],
    faultsEndAt: minuteMs,
  }
}

/**
 * The answer to a claim is lost: the ledger has taken the claim, or takes the claim later. Or the ledger could not be told that nothing
 * was sent. Then the key comes again.
 */
const unansweredClaim: Theme = (plan, random) => {
  const place = random.pick(['claim', 'claim', 'renew', 'record'] as const)
  const lost = random.pick(['fails-after', 'acts-late', 'stalls'] as const)
  const mode = place === 'record' ? 'fails-before' : lost
  const faultsEndAt = 12_000
  const outage = {
    kind: 'ledger',
    mode: 'fails-before',
    from: random.ms(1, 3_000),
    forMs: random.ms(1, 8_000),
  } as const
  const refused = { kind: 'trouble', mode: 'refused', from: 0, forMs: faultsEndAt } as const
  return {
    ...plan,
    replicas: 1 + random.below(2),
    settings: { ...plan.settings, deadlineMs: 25_000, resends: random.chance(0.3), places: 64 },
    intents: [intentOf(0, {})],
    calls: [{ ...plainCall, tries: 4, pauseMs: random.ms(2_000, 7_000) }],
    faults: [
      { kind: 'ledger-call', mode, place, nth: 1, forMs: 0 },
      ...(random.chance(0.5) ? [outage] : []),
      // What could not be sent is renewed when its key comes again.
      ...(place === 'claim' ? [] : [refused]),
    ],
    faultsEndAt,
  }
}

const themes: readonly Theme[] = [outlivedClaim, lateAndUnreachable, believedTooEarly, replayWithoutPlace]
