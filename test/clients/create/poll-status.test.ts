import t from 'tap'
import { type AskUntil, type Found, followUp, type Known } from '../../../src/clients/create/poll-status.ts'
import type { Outcome } from '../../../src/partner/outcome.ts'
import { outcomes, scriptCardApi } from '../../fixtures/scripted-card-api.ts'

const {
  created,
  processing,
  rejected,
  noSuchRequest,
  duplicate,
  notSent,
  notAdmitted,
  misconfigured,
  throttled,
  unheardOf,
  unknown,
} = outcomes
const log = { warn: () => undefined }

interface Run {
  known?: Known
  settleMs?: number
  /** How long to ask, in milliseconds from the start. */
  untilMs?: number
  askUntil?: AskUntil
}

async function run(
  status: Parameters<typeof scriptCardApi>[0]['status'],
  { known = 'unknown', settleMs = 40, untilMs = 60_000, askUntil }: Run = {},
) {
  const partner = scriptCardApi({ status: status ?? [] })
  const deadlineAt = performance.now() + untilMs
  const found = await followUp(partner, 'a', known, askUntil ?? (() => deadlineAt), { settleMs }, { deadlineAt, log })
  return { found, asks: partner.count('status'), times: partner.times }
}

interface Story {
  name: string
  known?: Known
  answers: Outcome[]
  found: Found
  asks?: number
}

const neverArrived: Found = { status: 'never-arrived' }
const isRejected: Found = { status: 'rejected', partner: { code: '1001' } }
const isCreated: Found = { status: 'created', clientId: 'c' }

const stories: Story[] = [
  { name: 'created with an id is the end', answers: [created('c')], found: isCreated, asks: 1 },
  { name: 'rejected is the end', answers: [rejected()], found: isRejected, asks: 1 },
  {
    name: 'created without an id is asked about until it has one',
    answers: [created(), created('c')],
    found: isCreated,
    asks: 2,
  },
  {
    name: 'in work is asked about until it is done',
    answers: [processing, processing, created('c')],
    found: isCreated,
    asks: 3,
  },
  { name: 'in work may end in a refusal', answers: [processing, rejected()], found: isRejected, asks: 2 },
  {
    name: 'what concerns the question alone is asked again',
    answers: [unknown, notSent, notAdmitted, misconfigured, created('c')],
    found: isCreated,
    asks: 5,
  },
  {
    name: 'so is what it is not said to have, and what nobody knows',
    answers: [throttled('1'), duplicate, unheardOf, created('c')],
    found: isCreated,
    asks: 4,
  },
  { name: '"no such request" that stands is believed', answers: [noSuchRequest], found: neverArrived },
  {
    name: '"no such request" is not believed at once',
    answers: [noSuchRequest, created('c')],
    found: isCreated,
    asks: 2,
  },
  { name: '"no such request", then a refusal', answers: [noSuchRequest, rejected()], found: isRejected, asks: 2 },
  {
    name: '"no such request" is not believed after "process"',
    answers: [processing, noSuchRequest, noSuchRequest, created('c')],
    found: isCreated,
    asks: 4,
  },
  {
    name: '"process" takes back "no such request"',
    answers: [noSuchRequest, processing, noSuchRequest, noSuchRequest, created('c')],
    found: isCreated,
    asks: 5,
  },
  {
    name: '"no such request" is not believed after "success"',
    known: 'created',
    answers: [noSuchRequest, noSuchRequest, created('c')],
    found: isCreated,
    asks: 3,
  },
  {
    name: '"process" takes nothing back from "success"',
    known: 'created',
    answers: [processing, rejected(), created('c')],
    found: isCreated,
    asks: 3,
  },
]

// They mostly wait, so they may do it together.
t.jobs = 50

for (const { name, known, answers, found, asks } of stories) {
  t.test(name, { buffered: true }, async (t) => {
    const result = await run(answers, { ...(known && { known }) })
    t.strictSame(result.found, found)
    if (asks !== undefined) t.equal(result.asks, asks)
  })
}

t.test('when the time is up the answer is what is known by then', { buffered: true }, async (t) => {
  const rows: { known: Known; answers: Outcome[]; found: Found }[] = [
    { known: 'unknown', answers: [unknown], found: { status: 'unknown' } },
    { known: 'unknown', answers: [processing], found: { status: 'processing' } },
    { known: 'processing', answers: [unknown], found: { status: 'processing' } },
    { known: 'unknown', answers: [created()], found: { status: 'created', clientId: undefined } },
    { known: 'created', answers: [rejected()], found: { status: 'created', clientId: undefined } },
  ]
  for (const { known, answers, found } of rows) {
    const result = await run(answers, { known, untilMs: 250 })
    t.strictSame(result.found, found)
    t.ok(result.asks > 0)
  }
})

t.test('with no time left nothing is asked', { buffered: true }, async (t) => {
  t.strictSame(await run([], { untilMs: 0 }), { found: { status: 'unknown' }, asks: 0, times: [] })
  t.strictSame(await run([], { untilMs: 0, known: 'created' }), {
    found: { status: 'created', clientId: undefined },
    asks: 0,
    times: [],
  })
})

t.test(
  'a deadline shorter than the settling pause leaves "no such request" unbelieved',
  { buffered: true },
  async (t) => {
    const { found, asks } = await run([noSuchRequest], { settleMs: 60_000, untilMs: 300 })
    t.strictSame(found, { status: 'unknown' })
    t.ok(asks >= 1)
  },
)

t.test('how long it asks depends on what is known', { buffered: true }, async (t) => {
  const endOf = (ms: number) => performance.now() + ms
  const soon = endOf(150)
  const late = endOf(60_000)
  const { found } = await run([unknown, processing], { askUntil: (known) => (known === 'processing' ? soon : late) })
  t.strictSame(found, { status: 'processing' })
})

t.test(
  'the first question comes at once, but not to a partner that has just said "process"',
  { buffered: true },
  async (t) => {
    for (const known of ['unknown', 'created', 'processing'] as const) {
      const partner = scriptCardApi({ status: [created('c')] })
      const context = { deadlineAt: Infinity, log }
      const following = followUp(partner, 'a', known, () => Infinity, { settleMs: 40 }, context)
      t.equal(partner.count('status'), known === 'processing' ? 0 : 1, known)
      t.strictSame(await following, isCreated)
    }
  },
)

t.test('the pauses grow', { buffered: true }, async (t) => {
  const { times } = await run([unknown, unknown, unknown, created('c')])
  const [first = 0, second = 0, third = 0] = times.slice(1).map((time, i) => time - (times[i] ?? 0))
  // Timers may be late, and a millisecond early.
  t.ok(first >= 99 && second >= 149 && third >= 224, `${first}, ${second}, ${third}`)
})

t.test(
  '"no such request" is looked at again when the settling pause is over, and no sooner believed',
  { buffered: true },
  async (t) => {
    const { found, times } = await run([noSuchRequest], { settleMs: 130 })
    t.strictSame(found, neverArrived)
    t.ok((times.at(-1) ?? 0) - (times[0] ?? 0) >= 129)
  },
)

t.test(
  'a settling pause that ended without an answer does not make the questions come without a pause',
  { buffered: true },
  async (t) => {
    const answers = [throttled('1'), notAdmitted, notSent, unknown]
    const runs = answers.map((answer) => run([noSuchRequest, answer], { settleMs: 20, untilMs: 600 }))
    for (const { found, asks } of await Promise.all(runs)) {
      t.strictSame(found, { status: 'unknown' })
      t.ok(asks <= 12, `${asks} questions`)
    }
  },
)

t.test('"no such request" is believed across an answer about the question alone', { buffered: true }, async (t) => {
  const { found } = await run([noSuchRequest, unknown, noSuchRequest], { settleMs: 20 })
  t.strictSame(found, neverArrived)
})
