import t from 'tap'
import { buildPursuit, type Ended, type PursuitContext } from '../../../src/clients/create/deliver.ts'
import type { CallContext } from '../../../src/partner/card-api.ts'
import type { EncodedRequest } from '../../../src/partner/encode.ts'
import type { Outcome } from '../../../src/partner/outcome.ts'
import { type Answer, outcomes, scriptCardApi } from '../../fixtures/scripted-card-api.ts'

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
const request: EncodedRequest = { requestId: 'a', body: Buffer.from('{}') }

interface Options {
  waitMs?: number
  settleMs?: number
  deadlineMs?: number
  /** Of the caller's own, from the start. */
  callerWaitMs?: number
  /** How long ago the request arrived. */
  ageMs?: number
  isRepeated?: boolean
}

function start(script: Parameters<typeof scriptCardApi>[0], options: Options = {}) {
  const { waitMs = 60_000, settleMs = 20, deadlineMs = 60_000, callerWaitMs, ageMs = 0, isRepeated } = options
  const partner = scriptCardApi(script)
  const retries: string[] = []
  const pursuit = buildPursuit({
    cardApi: partner,
    settings: { waitMs, settleMs },
    countRetry: (reason) => retries.push(reason),
  })
  const startedAt = performance.now() - ageMs
  const context: PursuitContext = {
    startedAt,
    deadlineAt: startedAt + deadlineMs,
    waitMs: callerWaitMs,
    isRepeated,
    log,
  }
  return { partner, retries, pursuit, context }
}

async function send(script: Parameters<typeof scriptCardApi>[0], options?: Options) {
  const { partner, retries, pursuit, context } = start(script, options)
  const ended = await pursuit.send(request, context)
  return { ended, adds: partner.count('add'), asks: partner.count('status'), retries }
}

// They mostly wait, so they may do it together.
t.jobs = 50

interface Story {
  name: string
  add: Outcome[]
  status?: Answer[]
  options?: Options
  ended: Ended
  adds?: number
  asks?: number
  retries?: string[]
}

const doubtful: Outcome = { kind: 'rejected', result: 'rejected', partner: { code: '1001' }, mayConcernQuestion: true }
const isCreated: Ended = { status: 'created', clientId: 'c' }
const isUnknown: Ended = { status: 'unknown' }
const isDuplicate: Ended = { status: 'unknown', isDuplicate: true }
const isRejected: Ended = { status: 'rejected', partner: { code: '1001' } }
/** The service may look more than once while "no such request" settles. */
const createdOnceResent: Answer = ({ count }) => (count('add') > 1 ? created('c') : noSuchRequest)
const resent = ['no_such_request']

const stories: Story[] = [
  { name: 'a refusal is the end', add: [rejected()], ended: isRejected, asks: 0 },
  { name: 'a success is asked for its id', add: [created()], status: [created('c')], ended: isCreated, asks: 1 },
  {
    name: 'a success that is then refused stays a success without an id',
    add: [created()],
    status: [rejected()],
    options: { deadlineMs: 300 },
    ended: { status: 'created', clientId: undefined },
  },
  { name: 'what is in work is asked about', add: [processing], status: [created('c')], ended: isCreated, asks: 1 },
  { name: 'what is in work may be refused', add: [processing], status: [rejected()], ended: isRejected, asks: 1 },
  {
    name: 'what is in work cannot be lacking',
    add: [processing],
    status: [noSuchRequest],
    options: { waitMs: 250 },
    ended: { status: 'processing' },
  },
  { name: 'a duplicate is asked about', add: [duplicate], status: [created('c')], ended: isCreated },
  { name: 'a duplicate may have been refused', add: [duplicate], status: [rejected()], ended: isRejected },
  {
    name: 'a duplicate that the partner does not know is not sent again, and stays known as one',
    add: [duplicate],
    status: [noSuchRequest],
    ended: isDuplicate,
  },
  {
    name: 'a duplicate of which nothing can be learnt stays known as one',
    add: [duplicate],
    status: [unknown],
    options: { deadlineMs: 200 },
    ended: isDuplicate,
  },
  { name: 'no answer, and it was created', add: [unknown], status: [created('c')], ended: isCreated, retries: [] },
  { name: 'no answer, and it was refused', add: [unknown], status: [rejected()], ended: isRejected, retries: [] },
  {
    name: 'no answer, and nothing can be learnt',
    add: [unknown],
    status: [unknown],
    options: { deadlineMs: 200 },
    ended: isUnknown,
    retries: [],
  },
  {
    name: 'no answer, and no time for the settling pause',
    add: [unknown],
    status: [noSuchRequest],
    options: { deadlineMs: 250, settleMs: 60_000 },
    ended: isUnknown,
  },
  {
    name: 'what never arrived is sent once more',
    add: [unknown, created()],
    status: [createdOnceResent],
    ended: isCreated,
    adds: 2,
    retries: resent,
  },
  {
    name: 'what arrived while it settled is not sent again',
    add: [unknown],
    status: [noSuchRequest, created('c')],
    ended: isCreated,
    retries: [],
  },
  {
    name: 'what was in work while it settled is not sent again',
    add: [unknown],
    status: [noSuchRequest, processing, noSuchRequest],
    options: { waitMs: 500 },
    ended: { status: 'processing' },
  },
  {
    name: 'what never arrived twice is not sent a third time',
    add: [unknown],
    status: [noSuchRequest],
    ended: isUnknown,
    adds: 2,
    retries: resent,
  },
  {
    name: 'an earlier send that arrived after all makes the second a duplicate',
    add: [unknown, duplicate],
    status: [createdOnceResent],
    ended: isCreated,
    adds: 2,
  },
  {
    name: 'a duplicate of an earlier send that the partner then does not know stays known as one',
    add: [unknown, duplicate],
    status: [noSuchRequest],
    ended: isDuplicate,
    adds: 2,
  },
  {
    name: 'the second send may be refused',
    add: [unknown, rejected()],
    status: [noSuchRequest],
    ended: isRejected,
    adds: 2,
  },
  {
    name: 'a refusal of the second send is no refusal of the first, which arrived after all',
    add: [unknown, rejected({ code: '7777' })],
    status: [createdOnceResent],
    ended: isCreated,
    adds: 2,
    retries: resent,
  },
  {
    name: 'a refusal of what was claimed before is no refusal while the partner has it',
    add: [rejected({ code: '7777' })],
    status: [created('c')],
    options: { isRepeated: true },
    ended: isCreated,
    asks: 1,
  },
  {
    name: 'an error to a question refuses a create whose fate is unknown if it stands',
    add: [unknown],
    status: [doubtful],
    ended: isRejected,
  },
  {
    name: 'an error to a question that does not stand is no refusal',
    add: [unknown],
    status: [doubtful, created('c')],
    ended: isCreated,
    asks: 2,
  },
  {
    name: 'an error to a question is a refusal of a create that is in work',
    add: [processing],
    status: [doubtful],
    ended: isRejected,
    asks: 1,
  },
  {
    name: 'a refusal of what was claimed before stands where the partner has nothing',
    add: [rejected()],
    status: [noSuchRequest],
    options: { isRepeated: true },
    ended: isRejected,
  },
  {
    name: 'the second send may be in work',
    add: [unknown, processing],
    status: [createdOnceResent],
    ended: isCreated,
    adds: 2,
  },
  {
    name: 'a second send that was not taken says nothing of the first: credential',
    add: [unknown, misconfigured],
    status: [noSuchRequest],
    ended: isUnknown,
    adds: 2,
  },
  {
    name: 'a second send that was not taken says nothing of the first: circuit open',
    add: [unknown, notAdmitted],
    status: [noSuchRequest],
    ended: isUnknown,
    adds: 2,
  },
  {
    name: 'a second send that was not taken says nothing of the first: throttled',
    add: [unknown, throttled('60')],
    status: [noSuchRequest],
    options: { deadlineMs: 5000 },
    ended: isUnknown,
    adds: 2,
  },
  {
    name: 'a second send that was not taken says nothing of the first: refused',
    add: [unknown, notSent],
    status: [noSuchRequest],
    ended: isUnknown,
    adds: 4,
    retries: ['no_such_request', 'refused', 'refused'],
  },
  {
    name: 'what could not be sent is tried twice more',
    add: [notSent],
    ended: { status: 'not-taken', outcome: notSent },
    adds: 3,
    retries: ['refused', 'refused'],
  },
  {
    name: 'what could be sent in the end is pursued',
    add: [notSent, processing],
    status: [created('c')],
    ended: isCreated,
    adds: 2,
    retries: ['refused'],
  },
  {
    name: 'an open circuit is not tried again',
    add: [notAdmitted],
    ended: { status: 'not-taken', outcome: notAdmitted },
  },
  {
    name: 'a refused credential is not tried again',
    add: [misconfigured],
    ended: { status: 'not-taken', outcome: misconfigured },
  },
  {
    name: 'a throttled create is sent again when the partner wants it',
    add: [throttled('0'), processing],
    status: [created('c')],
    ended: isCreated,
    adds: 2,
    retries: ['throttled'],
  },
  {
    name: 'a throttled create is not sent again where that would be too late',
    add: [throttled('60')],
    options: { deadlineMs: 10_000 },
    ended: { status: 'not-taken', outcome: { kind: 'throttled', result: 'http_4xx', retryAfter: '60' } },
    retries: [],
  },
  {
    name: 'an outcome that nobody knows is neither a success nor a failure',
    add: [unheardOf],
    ended: isUnknown,
    asks: 0,
  },
  {
    // Not a word that a create is ever answered with; if it were, it would prove nothing.
    name: 'a create answered with "no such request" is an unknown one',
    add: [noSuchRequest],
    status: [created('c')],
    ended: isCreated,
  },
]

for (const { name, add, status = [], options, ended, adds = 1, asks, retries } of stories) {
  t.test(name, { buffered: true }, async (t) => {
    const result = await send({ add, status }, options)
    t.strictSame(result.ended, ended)
    t.equal(result.adds, adds, 'sends')
    if (asks !== undefined) t.equal(result.asks, asks, 'questions')
    if (retries !== undefined) t.strictSame(result.retries, retries, 'retries')
  })
}

t.test('no send may take all that is left', { buffered: true }, async (t) => {
  const { partner, context } = start({ add: [rejected()] }, { deadlineMs: 30_000 })
  const contexts: CallContext[] = []
  const addClient: typeof partner.addClient = (request, context) => {
    contexts.push(context)
    return partner.addClient(request, context)
  }
  await buildPursuit({
    cardApi: { ...partner, addClient },
    settings: { waitMs: 0, settleMs: 0 },
    countRetry: () => undefined,
  }).send(request, context)
  const shareMs = (contexts[0]?.deadlineAt ?? 0) - context.startedAt
  t.ok(shareMs >= 20_000 && shareMs < 30_000, `${shareMs} ms of 30 s`)
})

t.test('while the partner is at work a create waits as long as the setting says', { buffered: true }, async (t) => {
  const { ended, asks } = await send({ add: [processing], status: [processing] }, { waitMs: 300 })
  t.strictSame(ended, { status: 'processing' })
  t.ok(asks > 0)
})

t.test('the setting counts from the moment the partner accepted', { buffered: true }, async (t) => {
  const { ended } = await send({ add: [processing], status: [created('c')] }, { waitMs: 5000, ageMs: 10_000 })
  t.strictSame(ended, isCreated)
})

t.test('the caller’s own wait counts from the arrival, and comes before the setting', { buffered: true }, async (t) => {
  const script = { add: [processing], status: [created('c')] }
  const late = await send(script, { callerWaitMs: 5000, ageMs: 10_000 })
  t.strictSame([late.ended, late.asks], [{ status: 'processing' }, 0], 'over before the partner accepted')
  const longer = await send(script, { waitMs: 0, callerWaitMs: 60_000 })
  t.strictSame(longer.ended, isCreated)
  const none = await send(script, { callerWaitMs: 0 })
  t.strictSame([none.ended, none.asks], [{ status: 'processing' }, 0])
})

t.test('no wait is longer than the deadline', { buffered: true }, async (t) => {
  const options = { deadlineMs: 300, callerWaitMs: 600_000, waitMs: 600_000 }
  t.strictSame((await send({ add: [processing], status: [processing] }, options)).ended, { status: 'processing' })
})

t.test(
  'a wait ends only what is in work: the rest is asked about until the deadline',
  { buffered: true },
  async (t) => {
    const unanswered = await send({ add: [unknown], status: [unknown, created('c')] }, { callerWaitMs: 0 })
    t.strictSame(unanswered.ended, isCreated)
    const withoutId = await send({ add: [created()], status: [created(), created('c')] }, { callerWaitMs: 0 })
    t.strictSame(withoutId.ended, isCreated)
  },
)

t.test('what somebody else may have sent is found out without sending', { buffered: true }, async (t) => {
  const rows = [
    { known: 'unknown', status: [noSuchRequest], found: { status: 'never-arrived' } },
    { known: 'unknown', status: [unknown, created('c')], found: isCreated },
    { known: 'processing', status: [rejected()], found: isRejected },
  ] as const
  for (const { known, status, found } of rows) {
    const { partner, pursuit, context } = start({ status })
    t.strictSame(await pursuit.find('a', known, context), found)
    t.equal(partner.count('add'), 0)
  }
})
