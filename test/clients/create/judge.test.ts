/** What each answer teaches, without any clock or question. */
import t from 'tap'
import { isSettledAbsent, judge, type Knowledge, knowNothing } from '../../../src/clients/create/judge.ts'
import type { Outcome } from '../../../src/partner/outcome.ts'
import { outcomes } from '../../fixtures/scripted-card-api.ts'

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
  unheardOf,
  unknown,
  drift,
} = outcomes

const judgeSettings = { absentMs: 60_000, doubtMs: 30_000 }
/** Sent at 1000; each story tells when its question was asked. */
const nothing = knowNothing(1000)
const accepted: Knowledge = { ...nothing, known: 'processing', isAcknowledged: true }
const succeeded: Knowledge = { ...nothing, known: 'created', isAcknowledged: true }
const doubted: Knowledge = { ...nothing, doubts: 2, doubtedSince: 2000 }

t.test('at first nothing is known but when it was sent', async (t) => {
  t.strictSame(nothing, {
    known: 'unknown',
    isAcknowledged: false,
    lastSendAt: 1000,
    absentSince: undefined,
    doubts: 0,
    doubtedSince: undefined,
  })
})

const judged: [name: string, before: Knowledge, outcome: Outcome, after: Partial<ReturnType<typeof judge>>][] = [
  [
    'success with an id is the end',
    nothing,
    created('c'),
    { knowledge: succeeded, conclusion: { status: 'created', clientId: 'c' } },
  ],
  ['success without an id is not the end', nothing, created(), { knowledge: succeeded }],
  ['success ends doubts', doubted, created(), { knowledge: succeeded }],
  ['process is an acknowledgement', nothing, processing, { knowledge: accepted }],
  ['process ends doubts', doubted, processing, { knowledge: accepted }],
  ['process takes nothing back from success', succeeded, processing, { knowledge: succeeded }],
  [
    'a refusal of the request is the end',
    nothing,
    rejected(),
    { knowledge: nothing, conclusion: { status: 'rejected', partner: { code: '1001' }, isInferred: false } },
  ],
  [
    'so it is after process, and ends doubts',
    { ...accepted, doubts: 1, doubtedSince: 1500 },
    rejected({}),
    { knowledge: accepted, conclusion: { status: 'rejected', partner: {}, isInferred: false } },
  ],
  ['a refusal after success contradicts itself', succeeded, rejected(), { knowledge: succeeded }],
  ['so does a doubtful error after success', succeeded, doubtful, { knowledge: succeeded }],
  ['a doubtful error is counted', nothing, doubtful, { knowledge: { ...nothing, doubts: 1, doubtedSince: 70_000 } }],
  ['also after process', accepted, doubtful, { knowledge: { ...accepted, doubts: 1, doubtedSince: 70_000 } }],
  [
    'no such request is remembered',
    { ...nothing, lastSendAt: 10_001 },
    noSuchRequest,
    { knowledge: { ...nothing, lastSendAt: 10_001, absentSince: 70_000 } },
  ],
  [
    'from when it was first heard, and ends doubts',
    { ...doubted, lastSendAt: 10_001, absentSince: 3000 },
    noSuchRequest,
    { knowledge: { ...nothing, lastSendAt: 10_001, absentSince: 3000 } },
  ],
  [
    'no such request is heard for the first time, however long ago the last send is',
    { ...nothing, lastSendAt: 10_000 },
    noSuchRequest,
    { knowledge: { ...nothing, lastSendAt: 10_000, absentSince: 70_000 } },
  ],
  [
    'no such request is concluded from when the last send is long enough ago, and it is heard again',
    { ...nothing, lastSendAt: 10_000, absentSince: 69_000 },
    noSuchRequest,
    {
      knowledge: { ...nothing, lastSendAt: 10_000, absentSince: 69_000 },
      conclusion: { status: 'not-created' },
    },
  ],
  ['no such request is not believed after process', accepted, noSuchRequest, { knowledge: accepted }],
  ['nor after success', succeeded, noSuchRequest, { knowledge: succeeded }],
  [
    'nor after an acknowledgement alone',
    { ...nothing, isAcknowledged: true },
    noSuchRequest,
    { knowledge: { ...nothing, isAcknowledged: true } },
  ],
  [
    'nor where the state alone tells of it',
    { ...accepted, isAcknowledged: false },
    noSuchRequest,
    { knowledge: { ...accepted, isAcknowledged: false } },
  ],
  [
    'a duplicate is an acknowledgement, and ends doubts',
    doubted,
    duplicate,
    { knowledge: { ...nothing, isAcknowledged: true } },
  ],
  ['an unknown word ends doubts', doubted, drift, { knowledge: nothing }],
  ['a failure of the call says nothing', doubted, unknown, { knowledge: doubted }],
  ['nor does what was not sent', doubted, notSent, { knowledge: doubted }],
  ['nor what was not admitted', doubted, notAdmitted, { knowledge: doubted }],
  ['nor a refused credential', doubted, misconfigured, { knowledge: doubted }],
  ['nor a throttled question', doubted, throttled('1'), { knowledge: doubted }],
  ['nor what a later version might add', doubted, unheardOf, { knowledge: doubted }],
]

for (const [name, before, outcome, after] of judged) {
  t.test(`an answer is judged: ${name}`, async (t) => {
    t.strictSame(judge(before, outcome, 70_000, judgeSettings), after)
  })
}

t.test('a doubtful error is believed after three answers and the whole time, not before', async (t) => {
  const rows: [doubts: number, askedAt: number, isBelieved: boolean][] = [
    [1, 32_000, false],
    [1, 900_000, false],
    [2, 31_999, false],
    [2, 32_000, true],
    [7, 31_999, false],
    [7, 32_001, true],
  ]
  for (const [doubts, askedAt, isBelieved] of rows) {
    for (const before of [nothing, accepted]) {
      const known = { ...before, doubts, doubtedSince: 2000 }
      t.strictSame(
        judge(known, doubtful, askedAt, judgeSettings),
        {
          knowledge: { ...known, doubts: doubts + 1 },
          ...(isBelieved && { conclusion: { status: 'rejected', partner: { code: '1001' }, isInferred: true } }),
        },
        `${doubts + 1} doubts at ${askedAt}`,
      )
    }
  }
})

t.test('an answer stands from the moment when it was heard', async (t) => {
  const heardAt = 71_000
  t.match(judge(nothing, noSuchRequest, 70_000, judgeSettings, heardAt), { knowledge: { absentSince: heardAt } })
  t.match(judge(nothing, doubtful, 70_000, judgeSettings, heardAt), { knowledge: { doubtedSince: heardAt } })
})

t.test('without a settling time the first "no such request" is enough', async (t) => {
  t.equal(isSettledAbsent({ ...nothing, absentSince: 5000 }, 4000, 0), true)
  t.equal(isSettledAbsent({ ...nothing, absentSince: 5000 }, 4000, 1), false)
})

t.test('only what stands for the whole settling time, and was never acknowledged, is settled', async (t) => {
  const absent = { ...nothing, absentSince: 5000 }
  t.equal(isSettledAbsent(absent, 5100, 100), true)
  t.equal(isSettledAbsent(absent, 5099, 100), false)
  t.equal(isSettledAbsent(nothing, 900_000, 100), false)
  t.equal(isSettledAbsent({ ...absent, isAcknowledged: true }, 5100, 100), false)
  t.equal(isSettledAbsent({ ...absent, known: 'processing' }, 5100, 100), false)
})
