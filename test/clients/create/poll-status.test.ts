import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Knowledge, type Known, knowNothing } from '../../../src/clients/create/judge.ts'
import { type Polled, type PollLimits, pollStatus } from '../../../src/clients/create/poll-status.ts'
import type { Outcome } from '../../../src/partner/outcome.ts'
import { type Answer, outcomes, scriptCardApi } from '../../fixtures/scripted-card-api.ts'

const {
  created,
  processing,
  rejected,
  doubtful,
  noSuchRequest,
  duplicate,
  notSent,
  notAdmitted,
  misconfigured,
  throttled,
  unknown,
} = outcomes
const log = { warn: () => undefined }

// They mostly wait, so they may do it together.
t.jobs = 50

interface Run {
  known?: Known
  isAcknowledged?: boolean
  /** How long ago the request was sent. */
  sentMsAgo?: number
  settleMs?: number | undefined
  /** How long to ask, in milliseconds from the start. */
  untilMs?: number | ((known: Known) => number)
  deadlineMs?: number
  absentMs?: number
  doubtMs?: number
  mayWait?: boolean
}

async function run(status: Answer[], options: Run = {}) {
  const { known = 'unknown', sentMsAgo = 0, settleMs, untilMs = 60_000, deadlineMs = 60_000 } = options
  const { absentMs = 60_000, doubtMs = 60_000, mayWait = true, isAcknowledged = known !== 'unknown' } = options
  const partner = scriptCardApi({ status })
  const startedAt = performance.now()
  const told: [asks: number, known: Known][] = []
  const limits: PollLimits = {
    until: (now) => startedAt + (typeof untilMs === 'number' ? untilMs : untilMs(now)),
    settleMs,
    startWaiting(now) {
      told.push([partner.count('status'), now])
      return mayWait
    },
  }
  const start = { ...knowNothing(startedAt - sentMsAgo), known, isAcknowledged }
  const context = { deadlineAt: startedAt + deadlineMs, log }
  const polled = await pollStatus(partner, 'a', start, limits, { absentMs, doubtMs }, context)
  const times = partner.times.map((time) => time - startedAt)
  const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0))
  const deadlines = partner.given.map(({ deadlineAt }) => deadlineAt - startedAt)
  const endedAfterMs = performance.now() - startedAt
  return {
    polled,
    start,
    asks: partner.count('status'),
    times,
    pauses,
    deadlines,
    told,
    given: partner.given,
    endedAfterMs,
  }
}

const isCreated: Polled = { status: 'created', clientId: 'c' }
const isRejected: Polled = { status: 'rejected', partner: { code: '1001' }, isInferred: false }

interface Story {
  name: string
  answers: Outcome[]
  options?: Run
  polled: Polled
  asks: number | undefined
}

const stories: Story[] = [
  { name: 'created with an id is the end', answers: [created('c')], polled: isCreated, asks: 1 },
  { name: 'rejected is the end', answers: [rejected()], polled: isRejected, asks: 1 },
  {
    name: 'created without an id is asked about until it has one',
    answers: [created(), created('c')],
    polled: isCreated,
    asks: 2,
  },
  { name: 'in work is asked about until it is done', answers: [processing, created('c')], polled: isCreated, asks: 2 },
  { name: 'in work may end in a refusal', answers: [processing, rejected()], polled: isRejected, asks: 2 },
  {
    name: 'what concerns the question alone is asked again',
    answers: [unknown, notSent, notAdmitted, misconfigured, created('c')],
    polled: isCreated,
    asks: 5,
  },
  {
    name: '"no such request" is absent once it has stood, where another send is allowed',
    answers: [noSuchRequest],
    options: { settleMs: 50 },
    polled: { status: 'absent' },
    asks: undefined,
  },
  {
    name: 'at once, where there is nothing to settle',
    answers: [noSuchRequest],
    options: { settleMs: 0 },
    polled: { status: 'absent' },
    asks: 1,
  },
  {
    name: 'only an answer "no such request" makes it absent',
    answers: [noSuchRequest, unknown, created('c')],
    options: { settleMs: 20 },
    polled: isCreated,
    asks: 3,
  },
  {
    name: '"no such request" stands across an answer about the question alone',
    answers: [noSuchRequest, unknown, noSuchRequest],
    options: { settleMs: 20 },
    polled: { status: 'absent' },
    asks: 3,
  },
  {
    name: 'what was acknowledged is never absent',
    answers: [noSuchRequest, noSuchRequest, created('c')],
    options: { settleMs: 0, isAcknowledged: true },
    polled: isCreated,
    asks: 3,
  },
  {
    name: '"process" takes back "no such request"',
    answers: [noSuchRequest, processing, noSuchRequest, created('c')],
    options: { settleMs: 90 },
    polled: isCreated,
    asks: 4,
  },
  {
    name: 'what was sent long ago and is not known is not created',
    answers: [noSuchRequest],
    options: { sentMsAgo: 60_000 },
    polled: { status: 'not-created' },
    asks: 2,
  },
  {
    name: 'three doubtful errors in the time of doubt are a refusal',
    answers: [doubtful],
    options: { doubtMs: 200 },
    polled: { status: 'rejected', partner: { code: '1001' }, isInferred: true },
    asks: 3,
  },
]

for (const { name, answers, options, polled, asks } of stories) {
  t.test(name, { buffered: true }, async (t) => {
    const result = await run(answers, options)
    t.strictSame(result.polled, polled)
    if (asks === undefined) t.ok(result.asks > 1)
    else t.equal(result.asks, asks)
    t.ok(
      result.given.every(({ requestId }) => requestId === 'a'),
      'of this request',
    )
  })
}

t.test('when the time is up it is undecided, with all that was learnt', { buffered: true }, async (t) => {
  const rows: { known: Known; answer: Outcome; learnt: Partial<Knowledge> }[] = [
    { known: 'unknown', answer: unknown, learnt: {} },
    { known: 'unknown', answer: processing, learnt: { known: 'processing', isAcknowledged: true } },
    { known: 'unknown', answer: duplicate, learnt: { isAcknowledged: true } },
    { known: 'processing', answer: unknown, learnt: {} },
    { known: 'unknown', answer: created(), learnt: { known: 'created', isAcknowledged: true } },
    { known: 'created', answer: rejected(), learnt: {} },
  ]
  await Promise.all(
    rows.map(async ({ known, answer, learnt }) => {
      const { polled, start, asks, endedAfterMs } = await run([answer], { known, untilMs: 250 })
      t.strictSame(polled, { status: 'undecided', knowledge: { ...start, ...learnt } })
      t.ok(asks > 0)
      t.ok(endedAfterMs <= 250 || asks <= 3, 'no question is begun after the time')
    }),
  )
})

t.test('the time is used up, but for the last 200 ms', { buffered: true }, async (t) => {
  for (const untilMs of [900, 3000]) {
    const { polled, times, endedAfterMs } = await run([processing], { known: 'processing', untilMs })
    t.equal(polled.status, 'undecided')
    // Timers may be a millisecond early.
    t.ok(endedAfterMs >= untilMs - 202, `${endedAfterMs} of ${untilMs} ms`)
    t.ok((times.at(-1) ?? 0) >= untilMs / 2, 'the last question was late')
  }
})

t.test('with no time left nothing is asked', { buffered: true }, async (t) => {
  for (const known of ['unknown', 'processing', 'created'] as const) {
    for (const untilMs of [0, -500]) {
      const { polled, start, asks } = await run([], { untilMs, known })
      t.strictSame(polled, { status: 'undecided', knowledge: start })
      t.equal(asks, 0)
    }
  }
})

t.test(
  'a repeated question is asked only if a second, or half of what is left, remains',
  { buffered: true },
  async (t) => {
    const late = await run([throttled('3')], { untilMs: 3900 })
    t.equal(late.asks, 1, 'a pause of 3 s would leave less than a second')
    const early = await run([throttled('1'), created('c')], { untilMs: 4000 })
    t.strictSame(early.polled, isCreated)
    const short = await run([unknown], { untilMs: 150 })
    t.equal(short.asks, 1, 'a pause of 100 ms would leave less than half of 150')
  },
)

t.test('questions are cut to the wait, and to the deadline', { buffered: true }, async (t) => {
  const untilMs = (known: Known) => (known === 'processing' ? 5000 : 20_000)
  const { deadlines } = await run([unknown, processing, created('c')], { untilMs })
  t.strictSame(deadlines.map(Math.round), [20_000, 20_000, 5000])
  const cut = await run([created('c')], { untilMs, deadlineMs: 3000 })
  t.strictSame(cut.deadlines.map(Math.round), [3000])
})

t.test('how long it asks depends on what is known', { buffered: true }, async (t) => {
  const untilMs = (known: Known) => (known === 'processing' ? 150 : 60_000)
  const { polled, asks } = await run([unknown, processing], { untilMs })
  t.match(polled, { status: 'undecided', knowledge: { known: 'processing' } })
  t.equal(asks, 2)
})

t.test('the first question comes at once, but not after "process"', { buffered: true }, async (t) => {
  for (const known of ['unknown', 'created', 'processing'] as const) {
    const { times } = await run([created('c')], { known })
    const [first = 0] = times
    // Timers may be a millisecond early.
    if (known === 'processing') t.ok(first >= 99, `${first} ms`)
    else t.ok(first < 99, `${first} ms`)
  }
})

t.test('the pauses grow by half, up to two seconds', { buffered: true }, async (t) => {
  const answers = [...Array(10).fill(unknown), created('c')]
  const { pauses } = await run(answers)
  const least = [100, 150, 225, 337, 506, 759, 1139, 1708, 2000]
  for (const [i, ms] of least.entries()) t.ok((pauses[i] ?? 0) >= ms - 2, `pause ${i}: ${pauses[i]}`)
  t.ok((pauses[9] ?? 0) < 3500, `${pauses[9]}: not 3.8 s`)
})

t.test('a question comes just when "no such request" has settled', { buffered: true }, async (t) => {
  const { polled, pauses } = await run([...Array(6).fill(unknown), noSuchRequest], { settleMs: 60 })
  t.strictSame(polled, { status: 'absent' })
  // By then the usual pause is longer than a second.
  t.ok((pauses[6] ?? 0) >= 59 && (pauses[6] ?? 0) < 1000, `${pauses[6]} ms`)
})

t.test(
  'a settling time that ended without an answer brings no questions without pauses',
  { buffered: true },
  async (t) => {
    const answers = [notAdmitted, notSent, unknown]
    const runs = answers.map((answer) => run([noSuchRequest, answer], { settleMs: 20, untilMs: 600 }))
    for (const { polled, asks } of await Promise.all(runs)) {
      t.equal(polled.status, 'undecided')
      t.ok(asks <= 6, `${asks} questions`)
    }
  },
)

t.test('the Retry-After of a throttled question is the least pause before the next', { buffered: true }, async (t) => {
  const { pauses } = await run([throttled('1'), unknown, created('c')])
  t.ok((pauses[0] ?? 0) >= 999, `${pauses[0]} ms`)
  t.ok((pauses[1] ?? 0) < 999, 'and of that one alone')
  const settling = await run([noSuchRequest, throttled('1'), noSuchRequest], { settleMs: 120 })
  t.ok((settling.pauses[1] ?? 0) >= 999, 'also while it settles')
  const unreadable = await run([throttled('soon'), created('c')])
  t.ok((unreadable.pauses[0] ?? 0) < 999, 'an unreadable one says nothing')
  const tooLong = await run([throttled('60')], { untilMs: 10_000 })
  t.equal(tooLong.polled.status, 'undecided')
  t.equal(tooLong.asks, 1)
  t.ok(tooLong.endedAfterMs < 5000, 'not waited for where it does not fit')
})

t.test('who only waits from now on is told so once, before the next question', { buffered: true }, async (t) => {
  t.strictSame((await run([unknown, created('c')])).told, [])
  t.strictSame((await run([unknown, processing, processing, created(), created('c')])).told, [[2, 'processing']])
  t.strictSame((await run([created('c')], { known: 'processing' })).told, [[0, 'processing']])
  t.strictSame((await run([created(), created('c')])).told, [[1, 'created']])
})

t.test(
  'a slow first question about a created client makes its caller wait, a quick one does not',
  { buffered: true },
  async (t) => {
    const quick = await run([created('c')], { known: 'created' })
    const slowly = (outcome: Outcome) => async () => {
      await sleep(700)
      return outcome
    }
    const slow = await Promise.all([
      run([slowly(created('c'))], { known: 'created' }),
      run([slowly(created()), created(), created('c')], { known: 'created' }),
      run([slowly(created('c'))], { known: 'unknown' }),
      run([processing, slowly(created('c'))], { known: 'unknown' }),
    ])
    t.strictSame(
      slow.map(({ told }) => told),
      [[[1, 'created']], [[1, 'created']], [], [[1, 'processing']]],
      'once each',
    )
    t.strictSame(quick.told, [], 'nor afterwards')
  },
)

t.test('where too many wait already it is undecided at once', { buffered: true }, async (t) => {
  const { polled, asks, endedAfterMs } = await run([processing], { mayWait: false })
  t.match(polled, { status: 'undecided', knowledge: { known: 'processing', isAcknowledged: true } })
  t.equal(asks, 1)
  t.ok(endedAfterMs < 5000)
})
