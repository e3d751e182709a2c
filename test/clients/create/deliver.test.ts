import t from 'tap'
import { buildDelivery, type Delivered, type DeliveryContext } from '../../../src/clients/create/deliver.ts'
import { type Knowledge, knowNothing } from '../../../src/clients/create/judge.ts'
import type { EncodedRequest } from '../../../src/partner/encode.ts'
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
  unheardOf,
  unknown,
} = outcomes
const log = { warn: () => undefined }
const request: EncodedRequest = { requestId: 'a', body: Buffer.from('{}') }

interface Options {
  settleMs?: number
  deadlineMs?: number
  /** How long a create that is in work is waited for. */
  waitMs?: number
  mayHaveArrived?: boolean
  mayResend?: boolean
  mayWait?: boolean
  /** How often the claim is renewed before it is lost. */
  renewals?: number
}

function start(script: Parameters<typeof scriptCardApi>[0], options: Options = {}) {
  const { settleMs = 20, deadlineMs = 60_000, waitMs = 60_000, mayHaveArrived = false } = options
  const { mayResend = true, mayWait = true, renewals = Infinity } = options
  const partner = scriptCardApi(script)
  const retries: string[] = []
  /** How many sends there had been, and what it was told. */
  const renewed: [sends: number, mayHaveArrived: boolean][] = []
  const delivery = buildDelivery({
    cardApi: partner,
    settings: { settleMs, absentMs: 60_000, doubtMs: 60_000, mayResend },
    countRetry: (reason) => retries.push(reason),
  })
  const startedAt = performance.now()
  const context: DeliveryContext = {
    deadlineAt: startedAt + deadlineMs,
    waitUntil: startedAt + waitMs,
    mayHaveArrived,
    startWaiting: () => mayWait,
    async renew(mayHaveArrived) {
      renewed.push([partner.count('add'), mayHaveArrived])
      return renewed.length <= renewals
    },
    log,
  }
  return { partner, retries, renewed, delivery, context, startedAt }
}

/** Without the times in it, which no table can name. */
function say(delivered: Delivered) {
  if (delivered.status !== 'undecided') return delivered
  const { knowledge, ...rest } = delivered
  return { ...rest, known: knowledge.known, isAcknowledged: knowledge.isAcknowledged }
}

// They mostly wait, so they may do it together.
t.jobs = 50

interface Story {
  name: string
  add: Answer[]
  status?: Answer[]
  options?: Options
  ended: object
  adds?: number
  asks?: number
  retries?: string[]
  renewed?: [number, boolean][]
}

/** The service may look more than once while "no such request" settles. */
const createdOnceResent: Answer = ({ count }) => (count('add') > 1 ? created('c') : noSuchRequest)
const isCreated = { status: 'created', clientId: 'c' }
const isUnknown = { status: 'undecided', known: 'unknown', isAcknowledged: false }
const isInWork = { status: 'undecided', known: 'processing', isAcknowledged: true }
const isRejected = { status: 'rejected', partner: { code: '1001' }, isInferred: false }
/** Told as a refusal, and asked about again. */
const isUnconfirmed = { ...isRejected, isInferred: true }
const soon = { deadlineMs: 300 }
const resent = { adds: 2, retries: ['no_such_request'], renewed: [[1, true]] as [number, boolean][] }

const stories: Story[] = [
  { name: 'a success is asked for its id', add: [created()], status: [created('c')], ended: isCreated, asks: 1 },
  {
    name: 'a success that is then refused stays a success without an id',
    add: [created()],
    status: [rejected()],
    options: soon,
    ended: { status: 'undecided', known: 'created', isAcknowledged: true },
  },
  { name: 'what is in work is asked about', add: [processing], status: [created('c')], ended: isCreated, asks: 1 },
  { name: 'what is in work may be refused', add: [processing], status: [rejected()], ended: isRejected, asks: 1 },
  {
    name: 'what is in work cannot be lacking',
    add: [processing],
    status: [noSuchRequest],
    options: { waitMs: 250, settleMs: 0 },
    ended: isInWork,
  },
  {
    name: 'what is in work is not asked about where too many wait already',
    add: [processing],
    options: { mayWait: false },
    ended: isInWork,
    asks: 0,
  },
  { name: 'nobody waits longer than wanted', add: [processing], options: { waitMs: 0 }, ended: isInWork, asks: 0 },
  {
    name: 'a wait is not longer than the deadline',
    add: [processing],
    status: [processing],
    options: soon,
    ended: isInWork,
  },
  {
    name: 'a wait ends only what is in work: an unknown one is asked about until the deadline',
    add: [unknown],
    status: [unknown, created('c')],
    options: { waitMs: 0 },
    ended: isCreated,
  },
  {
    name: 'and so is one without its id',
    add: [created()],
    status: [created(), created('c')],
    options: { waitMs: 0 },
    ended: isCreated,
  },

  // A duplicate
  {
    name: 'a duplicate is asked about, and replayed',
    add: [duplicate],
    status: [created('c')],
    ended: { ...isCreated, isDuplicate: true },
    asks: 1,
  },
  {
    name: 'a duplicate may have been refused',
    add: [duplicate],
    status: [rejected()],
    ended: { ...isRejected, isDuplicate: true },
  },
  {
    name: 'a duplicate that the partner does not know is not sent again, and stays known as one',
    add: [duplicate],
    status: [noSuchRequest],
    options: { ...soon, settleMs: 0 },
    ended: { status: 'undecided', known: 'unknown', isAcknowledged: true, isDuplicate: true },
  },

  // A refusal
  {
    name: 'a refusal stands where the partner knows nothing',
    add: [rejected()],
    status: [noSuchRequest],
    ended: isRejected,
    asks: 1,
  },
  { name: 'or refuses the question, too', add: [rejected()], status: [doubtful], ended: isRejected, asks: 1 },
  {
    name: 'but not if it refuses the question for another reason',
    add: [rejected()],
    status: [{ ...doubtful, partner: { code: '1999' } }],
    ended: isUnconfirmed,
    asks: 1,
  },
  { name: 'or says the same', add: [rejected()], status: [rejected({ code: '7' })], ended: isRejected, asks: 1 },
  { name: 'or does not answer', add: [rejected()], status: [unknown], ended: isUnconfirmed, asks: 1 },
  { name: 'or has had the request', add: [rejected()], status: [duplicate], ended: isUnconfirmed, asks: 1 },
  {
    name: 'a refusal is outweighed by a success',
    add: [rejected({ code: '7777' })],
    status: [created('c')],
    ended: { ...isCreated, isDuplicate: true },
    asks: 1,
  },
  {
    name: 'also by one without an id, which is asked for',
    add: [rejected()],
    status: [created(), created('c')],
    ended: { ...isCreated, isDuplicate: true },
    asks: 2,
  },
  {
    name: 'a refusal is outweighed by process',
    add: [rejected()],
    status: [processing, created('c')],
    ended: { ...isCreated, isDuplicate: true },
    asks: 2,
  },
  {
    name: 'a refusal of what may have arrived before is not believed without an answer',
    add: [rejected()],
    status: [unknown],
    options: { mayHaveArrived: true },
    ended: isUnknown,
    asks: 1,
  },
  {
    name: 'it stands where the partner knows nothing',
    add: [rejected()],
    status: [noSuchRequest],
    options: { mayHaveArrived: true },
    ended: isRejected,
    asks: 1,
  },
  {
    name: 'and where the request itself was refused',
    add: [rejected()],
    status: [rejected({ code: '7' })],
    options: { mayHaveArrived: true },
    ended: isRejected,
    asks: 1,
  },

  {
    name: 'a doubtful error confirms no refusal of what may have arrived before',
    add: [rejected()],
    status: [doubtful],
    options: { mayHaveArrived: true },
    ended: isUnknown,
    asks: 1,
  },
  {
    name: 'a refusal of the second send is outweighed by the first, which is no replay',
    add: [unknown, rejected({ code: '7777' })],
    status: [createdOnceResent],
    ended: isCreated,
    ...resent,
  },
  {
    name: 'also where the first is still in work',
    add: [unknown, rejected({ code: '7777' })],
    status: [({ count }) => (count('add') > 1 ? processing : noSuchRequest)],
    options: { waitMs: 700 },
    ended: isInWork,
    ...resent,
  },

  // No answer
  {
    name: 'no answer, and it was created',
    add: [unknown],
    status: [created('c')],
    ended: isCreated,
    retries: [],
    renewed: [],
  },
  { name: 'no answer, and it was refused', add: [unknown], status: [rejected()], ended: isRejected, retries: [] },
  {
    name: 'no answer, and nothing can be learnt',
    add: [unknown],
    status: [unknown],
    options: soon,
    ended: isUnknown,
    retries: [],
  },
  {
    name: 'no answer, and no time for the settling pause',
    add: [unknown],
    status: [noSuchRequest],
    options: { ...soon, settleMs: 60_000 },
    ended: isUnknown,
  },
  {
    name: 'what never arrived is sent once more',
    add: [unknown, created()],
    status: [createdOnceResent],
    ended: isCreated,
    ...resent,
  },
  {
    // Not a word that a create is ever answered with; if it were, it would prove nothing.
    name: 'a create answered with "no such request" is an unknown one',
    add: [noSuchRequest, created()],
    status: [createdOnceResent],
    ended: isCreated,
    ...resent,
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
    options: { settleMs: 90, waitMs: 600 },
    ended: isInWork,
  },
  {
    name: 'nothing is sent again where that is not allowed',
    add: [unknown],
    status: [noSuchRequest],
    options: { deadlineMs: 400, settleMs: 0, mayResend: false },
    ended: isUnknown,
    retries: [],
    renewed: [],
  },
  {
    name: 'nothing is sent again by who has lost the claim',
    add: [unknown],
    status: [noSuchRequest],
    options: { renewals: 0 },
    ended: isUnknown,
    retries: [],
    renewed: [[1, true]],
  },
  {
    name: 'what never arrived twice is not sent a third time',
    add: [unknown],
    status: [noSuchRequest],
    options: { deadlineMs: 1000 },
    ended: isUnknown,
    ...resent,
  },
  {
    name: 'an earlier send that arrived after all makes the second a duplicate, and no replay',
    add: [unknown, duplicate],
    status: [createdOnceResent],
    ended: isCreated,
    ...resent,
  },
  {
    name: 'a duplicate of an earlier send stays known as one',
    add: [unknown, duplicate],
    status: [noSuchRequest],
    options: { deadlineMs: 1000 },
    ended: { status: 'undecided', known: 'unknown', isAcknowledged: true },
    ...resent,
  },
  {
    name: 'the second send may be refused',
    add: [unknown, rejected()],
    status: [noSuchRequest],
    ended: isRejected,
    ...resent,
  },
  {
    name: 'a refusal of the second send is not believed without an answer',
    add: [unknown, rejected()],
    status: [({ count }) => (count('add') > 1 ? unknown : noSuchRequest)],
    ended: isUnknown,
    ...resent,
  },
  {
    name: 'the second send may be in work',
    add: [unknown, processing],
    status: [createdOnceResent],
    ended: isCreated,
    ...resent,
  },
  ...[unknown, noSuchRequest, misconfigured, notAdmitted, throttled('60')].map((second) => ({
    name: `a second send that ends as ${second.kind} says nothing of the first`,
    add: [unknown, second, second],
    status: [createdOnceResent],
    options: { deadlineMs: 5000 },
    ended: isCreated,
    adds: second === misconfigured ? 3 : 2,
    retries: second === misconfigured ? ['no_such_request', 'misconfigured'] : ['no_such_request'],
  })),
  {
    name: 'a second send that could not be sent is tried twice more',
    add: [unknown, notSent],
    status: [noSuchRequest],
    options: { deadlineMs: 3000 },
    ended: isUnknown,
    adds: 4,
    retries: ['no_such_request', 'refused', 'refused'],
    renewed: [
      [1, true],
      [2, false],
      [3, false],
    ],
  },

  // Not taken
  {
    name: 'what could not be sent is tried twice more, each under a claim of its own',
    add: [notSent],
    ended: { status: 'not-taken', outcome: notSent },
    adds: 3,
    asks: 0,
    retries: ['refused', 'refused'],
    renewed: [
      [1, false],
      [2, false],
    ],
  },
  {
    name: 'not without the claim',
    add: [notSent],
    options: { renewals: 1 },
    ended: { status: 'not-taken', outcome: notSent },
    adds: 2,
    retries: ['refused'],
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
    retries: [],
  },
  {
    name: 'a refused credential is tried once more, when it has been read again',
    add: [misconfigured],
    ended: { status: 'not-taken', outcome: misconfigured },
    adds: 2,
    retries: ['misconfigured'],
    renewed: [[1, false]],
  },
  {
    name: 'with another credential it goes on',
    add: [misconfigured, created()],
    status: [created('c')],
    ended: isCreated,
    adds: 2,
    retries: ['misconfigured'],
  },
  {
    name: 'a credential that is refused after another failed try is read again, too',
    add: [throttled('0'), misconfigured, created()],
    status: [created('c')],
    ended: isCreated,
    adds: 3,
    retries: ['throttled', 'misconfigured'],
  },
  {
    name: 'not where the claim is lost',
    add: [misconfigured],
    options: { renewals: 0 },
    ended: { status: 'not-taken', outcome: misconfigured },
    retries: [],
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
    ended: { status: 'not-taken', outcome: throttled('60') },
    retries: [],
    renewed: [],
  },
  {
    name: 'an outcome that nobody knows is neither a success nor a failure',
    add: [unheardOf],
    ended: isUnknown,
    asks: 0,
  },
]

for (const { name, add, status = [], options, ended, adds = 1, asks, retries, renewed } of stories) {
  t.test(name, { buffered: true }, async (t) => {
    const run = start({ add, status }, options)
    t.strictSame(say(await run.delivery.send(request, run.context)), ended)
    t.equal(run.partner.count('add'), adds, 'sends')
    if (asks !== undefined) t.equal(run.partner.count('status'), asks, 'questions')
    if (retries !== undefined) t.strictSame(run.retries, retries, 'retries')
    if (renewed !== undefined) t.strictSame(run.renewed, renewed, 'renewals')
    t.ok(run.partner.given.every(({ requestId }) => requestId === 'a'))
  })
}

t.test('no send may take all that is left', { buffered: true }, async (t) => {
  const { partner, delivery, context, startedAt } = start({ add: [notAdmitted] }, { deadlineMs: 30_000 })
  await delivery.send(request, context)
  const shareMs = (partner.given[0]?.deadlineAt ?? 0) - startedAt
  t.ok(shareMs >= 20_000 && shareMs < 21_000, `${shareMs} ms of 30 s`)
})

t.test('questions about a refusal have all that is left', { buffered: true }, async (t) => {
  const { partner, delivery, context } = start({ add: [rejected()], status: [noSuchRequest] })
  await delivery.send(request, context)
  t.equal(partner.given[1]?.deadlineAt, context.deadlineAt)
})

t.test('what was known of a send counts from its end', { buffered: true }, async (t) => {
  const { partner, delivery, context } = start({ add: [unknown], status: [unknown] }, { deadlineMs: 200 })
  const delivered = await delivery.send(request, context)
  if (delivered.status !== 'undecided') throw new Error('it is decided')
  t.ok(delivered.knowledge.lastSendAt >= (partner.times[0] ?? 0))
  t.ok(delivered.knowledge.lastSendAt <= (partner.times[1] ?? 0))
})

t.test('what was claimed before is asked about, and sent only where that is allowed', { buffered: true }, async (t) => {
  const rows: (Omit<Story, 'add'> & { add?: Answer[]; known?: Partial<Knowledge>; encodes?: number })[] = [
    { name: 'done', status: [created('c')], ended: isCreated, adds: 0 },
    { name: 'still unknown', status: [unknown], options: soon, ended: isUnknown, adds: 0 },
    {
      name: 'in work',
      known: { known: 'processing', isAcknowledged: true },
      status: [rejected()],
      ended: isRejected,
      adds: 0,
    },
    {
      name: 'never arrived',
      add: [created()],
      status: [({ count }) => (count('add') > 0 ? created('c') : noSuchRequest)],
      ended: isCreated,
      retries: ['no_such_request'],
      renewed: [[0, true]],
      encodes: 1,
    },
    {
      name: 'refused when it was sent again, and nothing is known of the first',
      add: [rejected()],
      status: [({ count }) => (count('add') > 0 ? unknown : noSuchRequest)],
      ended: isUnknown,
      encodes: 1,
    },
    {
      name: 'never arrived, and may not be sent again',
      status: [noSuchRequest],
      options: { ...soon, settleMs: 0, mayResend: false },
      ended: isUnknown,
      adds: 0,
    },
    {
      name: 'never arrived, and somebody else is sending it',
      status: [noSuchRequest],
      options: { renewals: 0 },
      ended: isUnknown,
      adds: 0,
    },
    {
      name: 'not known for long enough',
      known: { lastSendAt: performance.now() - 60_000 },
      status: [noSuchRequest],
      ended: { status: 'not-created' },
      adds: 0,
    },
  ]
  await Promise.all(
    rows.map(async ({ name, add = [], status = [], options, known, ended, adds = 1, encodes = 0, ...row }) => {
      const run = start({ add, status }, options)
      let encoded = 0
      const encode = () => {
        encoded++
        return request
      }
      const knowledge = { ...knowNothing(performance.now()), ...known }
      t.strictSame(say(await run.delivery.pursue(encode, 'a', knowledge, run.context)), ended, name)
      t.equal(run.partner.count('add'), adds, name)
      t.equal(encoded, encodes, 'encoded only to be sent')
      if (row.retries !== undefined) t.strictSame(run.retries, row.retries)
      if (row.renewed !== undefined) t.strictSame(run.renewed, row.renewed)
      t.ok(run.partner.given.every(({ requestId }) => requestId === 'a'))
    }),
  )
})
