/** The story of one create where several tell it at once: callers, replicas, holders of earlier claims, a ledger that fails. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Change, Claim, Ledger, Postponement, RecordResult } from '../../../src/ledger/ledger.ts'
import { openMemoryLedger } from '../../../src/ledger/memory.ts'
import { type Story, startStory } from '../../fixtures/create-story.ts'
import { postponement } from '../../fixtures/ledger-rows.ts'
import { type Answer, outcomes } from '../../fixtures/scripted-card-api.ts'
import { createGate } from '../../fixtures/stand-in-partner.ts'

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
  drift,
} = outcomes

// They mostly wait, so they may do it together.
t.jobs = 20

const keyless = { keyId: undefined, fingerprints: [] }
const isNew = { status: 'created', clientId: 'c', requestId: 'a', idempotencyStatus: 'new' }
const isReplayed = { ...isNew, idempotencyStatus: 'replayed' }
const isReused = { code: 'idempotency-key-reused', requestId: 'a', safeToRetry: 'no' }
const isInProgress = { code: 'request-in-progress', requestId: 'a', safeToRetry: 'same-key-only', hasRetryAfter: true }
const isOverloaded = { code: 'overloaded', hasRetryAfter: true, idempotencyStatus: undefined }
const createdOnceSent: Answer = ({ count }) => (count('add') > 0 ? created('c') : noSuchRequest)
const fail = () => Promise.reject(new Error('gone'))

t.test('a create is claimed, sent, asked about and written down', { buffered: true }, async (t) => {
  const story = startStory({
    add: [
      async () => {
        t.match(await story.ledger.find('a'), { state: 'sent', claims: 1, keyId: 'key', fingerprint: 'print' })
        return created()
      },
    ],
    status: [created('c')],
    body: { firstName: 'Alisher', document: 'JVBERi0=' },
  })
  const command = story.commandWith()
  t.strictSame(await story.run(command), isNew)
  t.match(await story.ledger.find('a'), { state: 'created', clientId: 'c', claims: 1, caller: 'caller' })
  t.strictSame(story.partner.calls, ['add', 'status'])
  t.strictSame(story.bodies, [
    {
      request_id: 'a',
      product_id: 1000,
      client: { phone: 998901234567, first_name: 'Alisher', document: 'JVBERi0=' },
    },
  ])
  t.equal(command.body.document, undefined, 'the document is held once')
  t.strictSame(story.logs, [])
  t.strictSame(await story.run(), isReplayed)
  t.equal(story.partner.count('add'), 1)
})

t.test('a create that may be sent only once is sent whole', { buffered: true }, async (t) => {
  const story = startStory({
    add: [created()],
    status: [created('c')],
    body: { document: 'JVBERi0=' },
    mayResend: false,
  })
  t.strictSame(await story.run(), isNew)
  t.match(story.bodies, [{ client: { document: 'JVBERi0=' } }])
})

t.test('undocumented words in answers about one create are told in one line', { buffered: true }, async (t) => {
  const drifted: Answer = (_partner, { drifts }) => {
    if (drifts !== undefined) drifts.count++
    return drift
  }
  const story = startStory({ add: [created()], status: [drifted, drifted, created('c')] })
  t.strictSame(await story.run(), isNew)
  t.match(story.logs, [{ level: 'warn', fields: { drifts: 2 }, message: 'partner call failed' }])
})

t.test('the reconciler asks after the wait of a create in work, or its deadline', { buffered: true }, async (t) => {
  const [waitMs, deadlineMs, graceMs] = [300_000, 600_000, 2000]
  const rows: [Answer, Answer, endsAfterMs: number][] = [
    [processing, created('c'), waitMs],
    [created(), created(), deadlineMs],
  ]
  for (const [add, first, endsAfterMs] of rows) {
    const postponed: Postponement[] = []
    let leftMs = 0
    const story = startStory({
      add: [add],
      status: [first, created('c')],
      waitMs,
      deadlineMs,
      disturb: (ledger) => ({
        postpone(postponement) {
          postponed.push(postponement)
          leftMs = arrivedAt + endsAfterMs - performance.now()
          return ledger.postpone(postponement)
        },
      }),
    })
    const arrivedAt = performance.now()
    t.strictSame(await story.run({ arrivedAt }), isNew)
    const [{ pauseMs = 0, isAcknowledged } = {}, ...more] = postponed
    t.strictSame([isAcknowledged, more], [true, []])
    t.ok(pauseMs >= Math.floor(leftMs) + graceMs, 'not before the end')
    t.ok(pauseMs <= endsAfterMs + graceMs, 'soon after the end')
  }
})

t.test('an id by a new body key gives way to the one that the ledger has', { buffered: true }, async (t) => {
  const said = createGate()
  const story = startStory({ status: [() => said.passed.then(() => created('c'))] })
  await story.write({ state: 'unknown' })
  const logFor = (requestId: string) => ({ info() {}, warn() {}, error() {}, requestId })
  const rotated = (log = logFor('b')) => ({ requestId: 'b', fingerprints: ['new print', 'print'], log })
  const [first, joiner, replayer] = [rotated(), rotated(), rotated()]
  const answer = story.run(first)
  await nextTurn()
  const joined = story.run(joiner)
  t.match(await story.run({ requestId: 'd', fingerprints: ['other'], log: logFor('d') }), isReused)
  said.open()
  t.match(await Promise.all([answer, joined, story.run(replayer)]), [
    isReplayed,
    { requestId: 'a' },
    { requestId: 'a' },
  ])
  for (const { log } of [first, joiner, replayer]) t.equal(log.requestId, 'a', 'so do the log lines')
})

t.test('without a key every request is one of its own', { buffered: true }, async (t) => {
  const story = startStory({ add: [created()], status: [created('c')] })
  const answers = await Promise.all(['a', 'b'].map((requestId) => story.run({ ...keyless, requestId })))
  t.strictSame(
    answers,
    ['a', 'b'].map((requestId) => ({ status: 'created', clientId: 'c', requestId, idempotencyStatus: undefined })),
  )
  t.equal(story.partner.count('add'), 2)
  t.match(await story.run(keyless), { code: 'idempotency-key-reused' }, 'an id that exists is never sent again')
})

t.test('why it was certainly not taken is told, and whether it is safe to try again', { buffered: true }, async (t) => {
  const rows = [
    { add: notSent, code: 'partner-unavailable', hasRetryAfter: true },
    { add: notAdmitted, code: 'partner-unavailable', hasRetryAfter: true },
    { add: throttled('60'), code: 'partner-unavailable', hasRetryAfter: true },
    { add: misconfigured, code: 'partner-misconfigured', hasRetryAfter: false },
  ]
  await Promise.all(
    rows.map(async ({ add, ...says }) => {
      const story = startStory({ add: [add] })
      const problem = { ...says, requestId: 'a', idempotencyStatus: 'new', partner: undefined }
      t.strictSame(await story.run(), { ...problem, safeToRetry: 'yes' }, `${add.kind}: also after tries of its own`)
      t.match(await story.ledger.find('a'), { state: 'not-created', isInferred: false, mayHaveArrived: false })
      t.match(await story.run({ fingerprints: ['other'] }), isReused, 'even so the key is bound to its body')
      t.strictSame(await story.run(), { ...problem, safeToRetry: 'same-key-only' }, 'an earlier claim was made')
      const unkeyed = { ...problem, idempotencyStatus: undefined, requestId: 'b', safeToRetry: 'yes' }
      t.strictSame(await story.run({ ...keyless, requestId: 'b' }), unkeyed)
    }),
  )
})

t.test('what was provably not created is sent anew under the same request_id', { buffered: true }, async (t) => {
  for (const mayResend of [true, false]) {
    const story = startStory({ add: [notAdmitted, created()], status: [created('c')], mayResend })
    await story.run()
    // Under an earlier body key the same body had another id.
    t.strictSame(await story.run({ requestId: 'b', fingerprints: ['new print', 'print'] }), isNew)
    t.match(await story.ledger.find('a'), { state: 'created', claims: 2, mayHaveArrived: false })
    t.strictSame(
      story.partner.given.map(({ requestId }) => requestId),
      ['a', 'a', 'a'],
    )
  }
})

t.test('what was not created by our own conclusion may have arrived', { buffered: true }, async (t) => {
  const inferred: Change = { state: 'not-created', isInferred: true }
  const refused = startStory({ mayResend: false })
  await refused.write(inferred)
  t.strictSame(await refused.run(), {
    code: 'partner-unavailable',
    requestId: 'a',
    idempotencyStatus: undefined,
    safeToRetry: 'same-key-only',
    partner: undefined,
    hasRetryAfter: true,
  })
  t.strictSame(refused.partner.calls, [])
  t.match(await refused.ledger.find('a'), { state: 'not-created', claims: 1 })

  const allowed = startStory({ add: [rejected()], status: [unknown] })
  await allowed.write(inferred)
  t.match(await allowed.run(), { status: 'unknown', idempotencyStatus: 'new' }, 'so no refusal is believed blindly')
  t.match(await allowed.ledger.find('a'), { state: 'unknown', claims: 2, mayHaveArrived: true })

  const notTaken = startStory({ add: [notAdmitted] })
  await notTaken.write(inferred)
  t.match(await notTaken.run(), { code: 'partner-unavailable', safeToRetry: 'same-key-only' })
  t.match(await notTaken.ledger.find('a'), { state: 'unknown', mayHaveArrived: true })
})

t.test('of two requests that would send a create again, one does', { buffered: true }, async (t) => {
  const story = startStory({
    add: [notAdmitted],
    disturb: (ledger) => ({
      async renew(renewal) {
        await ledger.renew({ ...renewal, to: 'quicker', deadlineMs: 60_000 })
        return ledger.renew(renewal)
      },
    }),
  })
  await story.run()
  t.match(await story.run(), isInProgress)
  t.equal(story.partner.count('add'), 1)
  t.match(await story.run(), isInProgress, 'and the claim of the other stands')
  t.match(await story.run({ fingerprints: ['other'] }), isReused)
})

t.test('what was found out before is told without a question', { buffered: true }, async (t) => {
  const story = startStory()
  await story.write({ state: 'created', clientId: 'c' })
  t.strictSame(await story.run(), isReplayed)
  const refused = startStory()
  await refused.write({ state: 'rejected', partnerCode: '7', partnerDescription: 'no' })
  t.strictSame(await refused.run(), {
    code: 'partner-rejected',
    requestId: 'a',
    idempotencyStatus: 'replayed',
    safeToRetry: 'no',
    partner: { code: '7', description: 'no' },
    hasRetryAfter: false,
  })
  t.strictSame([...story.partner.calls, ...refused.partner.calls], [])
})

t.test('what an earlier request left is pursued', { buffered: true }, async (t) => {
  const pursued: [name: string, changes: Change[], story: Story, says: object, row: object][] = [
    ['done', [{ state: 'unknown' }], { status: [created('c')] }, isReplayed, { state: 'created', claims: 1 }],
    ['in work', [{ state: 'processing' }], { status: [created('c')] }, isReplayed, { state: 'created' }],
    ['overdue', [], { status: [created('c')] }, isReplayed, { state: 'created' }],
    [
      'without its id',
      [{ state: 'created' }],
      { status: [created('c')] },
      isReplayed,
      { state: 'created', clientId: 'c' },
    ],
    [
      'not answered',
      [{ state: 'unknown' }],
      { status: [unknown], deadlineMs: 200 },
      { status: 'unknown', idempotencyStatus: 'replayed' },
      { state: 'unknown' },
    ],
    [
      'never arrived',
      [{ state: 'unknown' }],
      { add: [created()], status: [createdOnceSent] },
      { status: 'created', clientId: 'c', idempotencyStatus: 'new' },
      { state: 'created', claims: 2, mayHaveArrived: true },
    ],
    [
      'never arrived, and may not be sent again',
      [{ state: 'unknown' }],
      { status: [noSuchRequest], settleMs: 0, deadlineMs: 200, mayResend: false },
      { status: 'unknown' },
      { state: 'unknown', claims: 1 },
    ],
  ]
  await Promise.all(
    pursued.map(async ([name, changes, settings, says, row]) => {
      const story = startStory({ ...settings, body: { document: 'JVBERi0=' } })
      await story.write(...changes)
      await sleep(2)
      const command = story.commandWith()
      t.match(await story.run(command), says, name)
      t.match(await story.ledger.find('a'), row, name)
      const isSent = (settings.add ?? []).length > 0
      t.equal(story.partner.count('add'), isSent ? 1 : 0, name)
      const isHeld = !isSent && settings.mayResend !== false
      t.equal(command.body.document, isHeld ? 'JVBERi0=' : undefined, `${name}: kept only for a send`)
    }),
  )
})

t.test('what FreedomPay has not known for long enough is concluded by who asks', { buffered: true }, async (t) => {
  const story = startStory({
    status: [noSuchRequest],
    disturb: (ledger) => ({
      async claim(claim) {
        const { isClaimed, row } = await ledger.claim(claim)
        return { isClaimed, row: { ...row, sinceLastSendMs: 60_000 } }
      },
    }),
  })
  await story.write({ state: 'unknown' })
  t.match(await story.run(), { status: 'unknown', idempotencyStatus: 'replayed' })
  t.match(await story.ledger.find('a'), { state: 'not-created', isInferred: true })
})

t.test('a claim that cannot be made sends nothing', { buffered: true }, async (t) => {
  const story = startStory({ disturb: () => ({ claim: fail }) })
  const says = { code: 'ledger-unavailable', hasRetryAfter: true }
  t.match(await story.run(), { ...says, safeToRetry: 'same-key-only' }, 'an earlier attempt cannot be excluded')
  t.match(await story.run(keyless), { ...says, safeToRetry: 'yes' })
  const anew = startStory({ disturb: () => ({ renew: fail }) })
  await anew.write({ state: 'not-created' })
  t.match(await anew.run(), { ...says, safeToRetry: 'same-key-only' })
  t.strictSame([...story.partner.calls, ...anew.partner.calls], [])
})

t.test('a claim that cannot be renewed sends nothing again', { buffered: true }, async (t) => {
  for (const renew of [fail, async () => undefined]) {
    const story = startStory({ add: [unknown], status: [noSuchRequest], disturb: () => ({ renew }) })
    t.match(await story.run(), { status: 'unknown', idempotencyStatus: 'new' })
    t.equal(story.partner.count('add'), 1)
  }
})

t.test('each send again is under a token of its own', { buffered: true }, async (t) => {
  const tokens: string[] = []
  const deadlines: number[] = []
  const story = startStory({
    add: [notSent, notSent, created()],
    status: [created('c')],
    disturb: (ledger) => ({
      claim(claim) {
        tokens.push(claim.claimToken)
        deadlines.push(claim.deadlineMs)
        return ledger.claim(claim)
      },
      renew(renewal) {
        t.equal(renewal.from, tokens.at(-1))
        tokens.push(renewal.to)
        deadlines.push(renewal.deadlineMs)
        return ledger.renew(renewal)
      },
    }),
  })
  t.strictSame(await story.run(), isNew)
  t.equal(new Set(tokens).size, 3)
  t.ok(deadlines.every((ms) => ms > 0 && ms <= 10_000))
  t.strictSame(
    deadlines,
    deadlines.toSorted((a, b) => b - a),
    'a claim is never longer than what is left',
  )
  t.match(await story.ledger.find('a'), { state: 'created', claims: 3, claimToken: tokens[2] })
})

const written: [name: string, record: (ledger: Ledger) => Ledger['record'], message: string][] = [
  ['cannot be written', () => fail, 'the outcome could not be written to the ledger'],
  [
    'has no row',
    () => async () => undefined,
    'the ledger no longer has the row of this create, so the caller cannot read the outcome later',
  ],
]
for (const [name, record, message] of written) {
  t.test(`what ${name} is told all the same`, { buffered: true }, async (t) => {
    const rows = [
      { add: created(), status: created('c'), says: { status: 'created', clientId: 'c' } },
      { add: rejected(), status: unknown, says: { code: 'partner-rejected', partner: { code: '1001' } } },
      { add: processing, status: processing, says: { status: 'processing' } },
      { add: unknown, status: unknown, says: { status: 'unknown' } },
      // While this process stood still another one may have taken the claim, and have sent.
      { add: notAdmitted, status: unknown, says: { code: 'partner-unavailable', safeToRetry: 'same-key-only' } },
    ]
    await Promise.all(
      rows.map(async ({ add, status, says }) => {
        const story = startStory({
          add: [add],
          status: [status],
          deadlineMs: 1000,
          disturb: (ledger) => ({ record: record(ledger) }),
        })
        t.match(await story.run(), { ...says, requestId: 'a', idempotencyStatus: 'new' })
        t.strictSame(
          story.logs.map(({ level, message }) => [level, message]),
          [['error', message]],
        )
        t.match(await story.ledger.find('a'), { state: 'sent' }, 'to be found out')
      }),
    )
  })
}

t.test('a create believes no doubts that the reconciler has heard', { buffered: true }, async (t) => {
  const story = startStory({ status: [doubtful], doubtMs: 0, deadlineMs: 150 })
  await story.write({ state: 'unknown' })
  await story.ledger.postpone(postponement(story.claim, { doubts: 2, pauseMs: 60_000 }))
  t.match(await story.run(), { status: 'unknown' })
  t.match(await story.ledger.find('a'), { state: 'unknown' })
})

t.test('an acknowledgement that a create hears ends the doubts of the reconciler', { buffered: true }, async (t) => {
  const story = startStory({ status: [processing] })
  await story.write({ state: 'processing' })
  await story.ledger.postpone(postponement(story.claim, { asks: 2, doubts: 2 }))
  t.match(await story.ledger.find('a'), { doubts: 2 })
  t.match(await story.run({ wait: 0 }), { status: 'processing' })
  t.match(await story.ledger.find('a'), { doubts: 0 })
})

/** A ledger that comes back empty once the create was claimed. */
function startStoryWithLoss(add: Answer, status: Answer, claimedBefore = false) {
  const restarted = openMemoryLedger({ retentionMs: 3_600_000 })
  let isLost = false
  const story = startStory({
    add: [add],
    status: [status],
    deadlineMs: 300,
    disturb: (ledger) => ({
      async claim(claim) {
        if (!isLost) return ledger.claim(claim)
        if (claimedBefore) await restarted.claim({ ...claim, claimToken: 'another', deadlineMs: 60_000 })
        return restarted.claim(claim)
      },
      record(...change) {
        isLost = true
        return restarted.record(...change)
      },
    }),
  })
  return { story, restarted }
}

t.test('a row that the ledger has lost is written again with the outcome', { buffered: true }, async (t) => {
  const rows = [
    { add: created(), status: created('c'), says: isNew, row: { state: 'created', clientId: 'c' } },
    { add: rejected(), status: rejected(), says: { code: 'partner-rejected' }, row: { state: 'rejected' } },
    { add: unknown, status: unknown, says: { status: 'unknown' }, row: { state: 'unknown' } },
    // Before the loss another request may have claimed the key and sent the create.
    { add: notSent, status: noSuchRequest, says: { safeToRetry: 'same-key-only' }, row: { state: 'not-created' } },
  ]
  await Promise.all(
    rows.map(async ({ add, status, says, row }) => {
      const { story, restarted } = startStoryWithLoss(add, status)
      t.match(await story.run(), says)
      const identity = { requestId: 'a', keyId: 'key', caller: 'caller', fingerprint: 'print' }
      t.match(await restarted.find('a'), { ...identity, ...row })
      t.match(story.logs.at(-1), { level: 'warn', message: /this request has written the row again/ })
    }),
  )
})

t.test(
  'a lost row that another request has claimed meanwhile stays with that request',
  { buffered: true },
  async (t) => {
    const { story, restarted } = startStoryWithLoss(unknown, unknown, true)
    t.match(await story.run(), { status: 'unknown' })
    t.match(await restarted.find('a'), { state: 'sent', claimToken: 'another' })
    t.match(story.logs.at(-1), { level: 'warn', message: /another request has written the row again/ })
  },
)

t.test('a lost row whose key has come with another body is told, and not written', { buffered: true }, async (t) => {
  const { story, restarted } = startStoryWithLoss(created(), created('c'))
  await restarted.claim({ ...story.claim, requestId: 'b', fingerprint: 'other' })
  t.match(await story.run(), isNew)
  t.equal(await restarted.find('a'), undefined)
  t.match(story.logs.at(-1), { level: 'error', message: /no longer has the row/ })
})

t.test('a send that failed is not safe to retry once another request has sent', { buffered: true }, async (t) => {
  const story = startStory({
    add: [notAdmitted],
    disturb: (ledger) => ({
      async record(requestId, claimToken, change) {
        const renewal = { requestId, from: claimToken, to: 'another', deadlineMs: 1000, mayHaveArrived: true }
        await ledger.renew(renewal)
        await ledger.record(requestId, 'another', { state: 'unknown' })
        return await ledger.record(requestId, claimToken, change)
      },
    }),
  })
  t.match(await story.run(), { code: 'partner-unavailable', safeToRetry: 'same-key-only' })
})

t.test('the time of an outcome that could not be written is its own', { buffered: true }, async (t) => {
  const story = startStory({ add: [unknown], status: [unknown], deadlineMs: 100, disturb: () => ({ record: fail }) })
  await story.run()
  t.match(story.logs[0]?.fields.err, { message: 'gone' })
})

t.test('a duplicate that the ledger did not know is replayed, and noted', { buffered: true }, async (t) => {
  const story = startStory({ add: [duplicate], status: [created('c')] })
  t.strictSame(await story.run(), isReplayed)
  t.equal(story.counted.unknownDuplicates, 1)
  t.strictSame(story.logs, [
    { level: 'warn', fields: {}, message: 'FreedomPay already had this request, but the ledger had no record of it' },
  ])
  const claimedBefore = startStory({ add: [duplicate], status: [created('c')] })
  await claimedBefore.write({ state: 'not-created' })
  t.strictSame(await claimedBefore.run(), isReplayed)
  t.strictSame(claimedBefore.logs, [])
  t.equal(claimedBefore.counted.unknownDuplicates, 0)
})

t.test('a duplicate that the partner then does not know is never sent again', { buffered: true }, async (t) => {
  const story = startStory({ add: [duplicate], status: [noSuchRequest], deadlineMs: 200, settleMs: 0 })
  t.match(await story.run(), { status: 'unknown', idempotencyStatus: 'replayed' })
  t.match(await story.ledger.find('a'), { state: 'unknown', isAcknowledged: true })
  t.match(await story.run(), { status: 'unknown', idempotencyStatus: 'replayed' })
  t.equal(story.partner.count('add'), 1)
})

t.test('what FreedomPay quotes of the body is told masked, and not kept', { buffered: true }, async (t) => {
  const rows = [
    { said: 'Navoiy is on a list', told: '*** is on a list', kept: undefined },
    { said: 'on a list of 7', told: 'on a list of 7', kept: undefined },
    { said: 'on a list', told: 'on a list', kept: 'on a list' },
  ]
  for (const { said, told, kept } of rows) {
    const story = startStory({
      add: [rejected({ code: '7', description: said })],
      status: [noSuchRequest],
      body: { lastName: 'Navoiy' },
    })
    t.match(await story.run(), { code: 'partner-rejected', partner: { code: '7', description: told } })
    t.match(await story.ledger.find('a'), {
      state: 'rejected',
      partnerCode: '7',
      partnerDescription: kept,
      isInferred: false,
    })
    const replayed = await story.run()
    t.match(replayed, { code: 'partner-rejected', idempotencyStatus: 'replayed' })
    t.strictSame(replayed.partner, { code: '7', description: kept })
  }
})

/** While a create is being sent, its claim is taken over by another holder, or its row changed. */
function meanwhile(add: Answer, then: (ledger: Ledger, token: string) => Promise<unknown>): Story {
  let own: Ledger
  let token = ''
  return {
    add: [
      async (partner, context) => {
        await then(own, token)
        return typeof add === 'function' ? add(partner, context) : add
      },
    ],
    status: [unknown],
    deadlineMs: 300,
    disturb(ledger) {
      own = ledger
      return {
        claim(claim) {
          token = claim.claimToken
          return ledger.claim(claim)
        },
      }
    },
  }
}

const takeOver = (ledger: Ledger, from: string) =>
  ledger.renew({ requestId: 'a', from, to: 'other', deadlineMs: 60_000, mayHaveArrived: false })
const concludeAbsence = (ledger: Ledger, token: string): Promise<RecordResult | undefined> =>
  ledger.record('a', token, { state: 'not-created', isInferred: true })

t.test(
  'a create that has lost its claim and sent nothing leaves the row to the new holder',
  { buffered: true },
  async (t) => {
    const story = startStory(meanwhile(notAdmitted, takeOver))
    t.match(await story.run(), isInProgress)
    t.match(await story.ledger.find('a'), { state: 'sent', claims: 2, claimToken: 'other' })
  },
)

t.test('a create that has lost its claim and knows nothing is told as unknown', { buffered: true }, async (t) => {
  const story = startStory(meanwhile(unknown, takeOver))
  t.match(await story.run(), { status: 'unknown' })
  t.match(await story.ledger.find('a'), { state: 'sent', claimToken: 'other' }, 'the new holder’s row stands')
})

t.test(
  'FreedomPay’s word counts, however late, against a conclusion from its silence',
  { buffered: true },
  async (t) => {
    const rows = [
      { add: processing, says: { status: 'processing' }, state: 'processing' },
      {
        add: rejected({ code: '7' }),
        says: { code: 'partner-rejected', partner: { code: '7' } },
        state: 'rejected',
        status: [rejected({ code: '7' })],
      },
      { add: created(), says: { status: 'created' }, state: 'created' },
    ] as const
    for (const { add, says, state, ...answers } of rows) {
      for (const then of [concludeAbsence, takeOver]) {
        const story = startStory({ ...meanwhile(add, then), ...answers })
        t.match(await story.run(), says, state)
        t.match(await story.ledger.find('a'), { state })
      }
    }
  },
)

t.test('a client that exists outweighs an earlier refusal', { buffered: true }, async (t) => {
  const refuse = (ledger: Ledger, token: string) => ledger.record('a', token, { state: 'rejected' })
  t.match(await startStory(meanwhile(created(), refuse)).run(), { status: 'created' })
  const create = (ledger: Ledger, token: string) => ledger.record('a', token, { state: 'created', clientId: 'c' })
  t.strictSame(await startStory(meanwhile(unknown, create)).run(), isNew, 'what another replica has learnt is told')
})

t.test('another replica that works on the key is not disturbed', { buffered: true }, async (t) => {
  const gate = createGate()
  const story = startStory({ add: [() => gate.passed.then(() => created())], status: [created('c')] })
  const first = story.run()
  await untilCalled(story, 1)
  const elsewhere = story.startReplica()
  t.match(await elsewhere(), isInProgress)
  t.match(await elsewhere({ fingerprints: ['other'], requestId: 'b' }), isReused)
  gate.open()
  t.strictSame(await first, isNew)
  t.strictSame(await elsewhere(), isReplayed)
})

// Joining

async function untilCalled({ partner }: ReturnType<typeof startStory>, calls: number): Promise<void> {
  while (partner.calls.length < calls) await sleep(1)
}

t.test('a request with the same key and body joins the running create', { buffered: true }, async (t) => {
  const gate = createGate()
  const story = startStory({ add: [() => gate.passed.then(() => created())], status: [created('c')] })
  const first = story.run()
  const commands = [1, 2].map(() => story.commandWith({ body: { phone: '+998901234567', document: 'JVBERi0=' } }))
  const joined = commands.map((command) => story.run(command))
  t.match(await story.run({ fingerprints: ['other'], requestId: 'b' }), isReused, 'another body does not')
  gate.open()
  t.strictSame(await first, isNew)
  t.strictSame(await Promise.all(joined), Array(2).fill({ ...isNew, idempotencyStatus: 'joined' }))
  t.ok(
    commands.every(({ body }) => body.document === undefined),
    'nor are their documents held',
  )
  t.equal(story.partner.count('add'), 1)
  await story.bulkhead.idle()
})

t.test('a request that joins hears of a refusal, too, and a later request reads it', { buffered: true }, async (t) => {
  const story = startStory({ add: [rejected()], status: [noSuchRequest] })
  const answers = await Promise.all([story.run(), story.run()])
  t.match(answers, [{ idempotencyStatus: 'new' }, { idempotencyStatus: 'joined' }])
  t.ok(answers.every(({ code }) => code === 'partner-rejected'))
  t.match(await story.run(), { code: 'partner-rejected', idempotencyStatus: 'replayed' })
  t.equal(story.partner.count('add'), 1)
})

t.test(
  'a request that joins has a wait of its own, once FreedomPay has accepted the create',
  { buffered: true },
  async (t) => {
    const [accepted, decided] = [createGate(), createGate()]
    const story = startStory({
      add: [() => accepted.passed.then(() => processing)],
      status: [() => decided.passed.then(() => created('c'))],
      waitMs: 50,
    })
    const first = story.run({ wait: 5000 })
    await nextTurn()
    const joined = [story.run({ wait: 'until-accepted' }), story.run()]
    t.equal(await Promise.race([...joined, sleep(100, 'they wait')]), 'they wait')
    accepted.open()
    const isJoined = { status: 'processing', requestId: 'a', idempotencyStatus: 'joined' }
    t.strictSame(await Promise.all(joined), [isJoined, isJoined])
    t.strictSame(await story.run({ wait: 'until-accepted' }), isJoined, 'so has one that comes later')
    decided.open()
    t.strictSame(await first, isNew)
  },
)

t.test('a request that joins while too many wait is told the present state at once', { buffered: true }, async (t) => {
  const gate = createGate()
  const story = startStory({ add: [() => gate.passed.then(() => created())], status: [created('c')], waiting: 0 })
  const first = story.run()
  t.match(await story.run(), isInProgress, 'nothing is claimed yet')
  await untilCalled(story, 1)
  t.strictSame(await story.run(), { status: 'unknown', requestId: 'a', idempotencyStatus: 'joined' })
  gate.open()
  await first
})

// Places

t.test('where every place is taken a create is refused, and nothing is sent', { buffered: true }, async (t) => {
  const gate = createGate()
  const story = startStory({ add: [() => gate.passed.then(() => created())], status: [created('c')], places: 1 })
  const first = story.run()
  t.strictSame(await story.run({ ...keyless, requestId: 'b' }), {
    ...isOverloaded,
    requestId: undefined,
    safeToRetry: 'yes',
    partner: undefined,
  })
  const keyed = { keyId: 'key 2', requestId: 'b' }
  t.match(await story.run(keyed), { ...isOverloaded, safeToRetry: 'same-key-only' }, 'the ledger may know the key')
  const joined = story.run()
  gate.open()
  t.strictSame(await first, isNew)
  t.match(await joined, { idempotencyStatus: 'joined' }, 'who joins needs no place')
  t.match(await story.run(keyed), { status: 'created' }, 'the place is free again')
})

t.test('a final key is answered where every place is taken', { buffered: true }, async (t) => {
  const rows: [Change[], says: object, otherBody: object][] = [
    [[{ state: 'created', clientId: 'c' }], isReplayed, isReused],
    [[{ state: 'rejected', partnerCode: '7' }], { code: 'partner-rejected', idempotencyStatus: 'replayed' }, isReused],
    [[{ state: 'not-created' }], isOverloaded, isOverloaded],
    [[{ state: 'unknown' }], isOverloaded, isOverloaded],
    [[{ state: 'processing' }], isOverloaded, isOverloaded],
    [[], isOverloaded, isOverloaded],
  ]
  for (const [changes, says, otherBody] of rows) {
    const story = startStory({ places: 0 })
    await story.write(...changes)
    t.match(await story.run(), says)
    t.match(await story.run({ fingerprints: ['new print', 'print'] }), says)
    const log = { info() {}, warn() {}, error() {}, requestId: 'b' }
    t.match(await story.run({ fingerprints: ['other'], requestId: 'b', log }), otherBody)
    t.equal(log.requestId, 'a', 'so do the log lines')
    t.strictSame(story.partner.calls, [])
  }
  const story = startStory({ places: 0, disturb: () => ({ findByKey: fail }) })
  t.match(await story.run(), { ...isOverloaded, safeToRetry: 'same-key-only' })
})

t.test('a create that waits while FreedomPay is at work holds no place', { buffered: true }, async (t) => {
  let isDone = false
  const story = startStory({
    add: [processing],
    status: [() => (isDone ? created('c') : processing)],
    places: 64,
    waiting: 100,
  })
  const waiting = Array.from({ length: 64 }, (_, i) => story.run({ ...keyless, requestId: `w${i}` }))
  await untilCalled(story, 65)
  const another = story.run({ ...keyless, requestId: 'w64' })
  await untilCalled(story, 130)
  isDone = true
  const answers = await Promise.all([...waiting, another])
  t.ok(answers.every(({ status }) => status === 'created'))
  await story.bulkhead.idle()
})

t.test('where too many wait a create in work is answered at once', { buffered: true }, async (t) => {
  const story = startStory({ add: [processing], status: [processing], waiting: 0 })
  t.strictSame(await story.run(), { status: 'processing', requestId: 'a', idempotencyStatus: 'new' })
  t.strictSame(story.partner.calls, ['add'])
  t.match(await story.ledger.find('a'), { state: 'processing' })
  await story.bulkhead.idle()
})

t.test('however many wait, a client that is created is asked for its id', { buffered: true }, async (t) => {
  const gate = createGate()
  const story = startStory({
    add: [created()],
    status: [() => gate.passed.then(() => created('c'))],
    places: 1,
    waiting: 0,
  })
  const first = story.run()
  await untilCalled(story, 2)
  t.match(await story.run({ ...keyless, requestId: 'b' }), isOverloaded, 'which keeps its place')
  gate.open()
  t.strictSame(await first, isNew)
})

t.test('however many wait, a client without its id is asked about again', { buffered: true }, async (t) => {
  const story = startStory({ add: [created()], status: [created(), created('c')], waiting: 0 })
  t.strictSame(await story.run(), isNew)
  t.strictSame(story.partner.calls, ['add', 'status', 'status'])
})

t.test('a wait that ends before the id is known is told that the client exists', { buffered: true }, async (t) => {
  const gate = createGate()
  const story = startStory({ add: [created()], status: [() => gate.passed.then(() => created('c'))] })
  t.match(await story.run({ wait: 1000 }), { status: 'created', idempotencyStatus: 'new' })
  gate.open()
  await story.bulkhead.idle()
})

t.test('every place is free again, however a create ends', { buffered: true }, async (t) => {
  const fault = new Error('a fault of ours')
  const story = startStory({
    add: [
      () => {
        throw fault
      },
    ],
  })
  await t.rejects(story.run(), fault)
  await story.bulkhead.idle()
  t.match(await story.run(), isInProgress, 'and the next request with the key begins anew')
})

// Waits

t.test(
  'the setting says how long a create in work is waited for, unless the caller does',
  { buffered: true },
  async (t) => {
    const isInWork = { status: 'processing', requestId: 'a', idempotencyStatus: 'new' }
    const settled = startStory({ add: [processing], status: [processing], waitMs: 0 })
    t.strictSame(await settled.run(), isInWork)
    t.strictSame(settled.partner.calls, ['add'])
    const asked = startStory({ add: [processing], status: [created('c')], waitMs: 0 })
    t.strictSame(await asked.run({ wait: 5000 }), isNew)
    const async = startStory({ add: [processing], status: [created('c')] })
    t.strictSame(await async.run({ wait: 'until-accepted' }), isInWork, 'as soon as FreedomPay has accepted')
    const late = startStory({ add: [processing], status: [created('c')] })
    const arrivedAt = performance.now() - 6000
    t.strictSame(await late.run({ arrivedAt }), isInWork, 'it counts from the arrival')
  },
)

t.test('the deadline counts from the arrival, so a slow body leaves less time', { buffered: true }, async (t) => {
  const claims: Claim[] = []
  const story = startStory({
    add: [created()],
    status: [created('c')],
    deadlineMs: 10_000,
    disturb: (ledger) => ({
      claim(claim) {
        claims.push(claim)
        return ledger.claim(claim)
      },
    }),
  })
  t.strictSame(await story.run({ arrivedAt: performance.now() - 6000 }), isNew)
  t.ok((claims[0]?.deadlineMs ?? Infinity) <= 4000)
})

t.test('respond-async without an answer of FreedomPay is told when there is news', { buffered: true }, async (t) => {
  const story = startStory({ add: [unknown], status: [unknown, created('c')] })
  t.strictSame(await story.run({ wait: 'until-accepted' }), isNew)
})

t.test('respond-async does not wait for the id of a created client', { buffered: true }, async (t) => {
  const gate = createGate()
  const story = startStory({ add: [created()], status: [created(), () => gate.passed.then(() => created('c'))] })
  t.match(await story.run({ wait: 'until-accepted' }), { status: 'created', idempotencyStatus: 'new' })
  gate.open()
  await story.bulkhead.idle()
  t.match(await story.ledger.find('a'), { state: 'created', clientId: 'c' })
})

t.test(
  'a wait that ends while the ledger cannot be read is told what the ledger has recorded',
  { buffered: true },
  async (t) => {
    const gate = createGate()
    const story = startStory({
      add: [created()],
      status: [created(), () => gate.passed.then(() => created('c'))],
      disturb: () => ({ find: () => Promise.reject(new Error('the ledger is away')) }),
    })
    t.match(await story.run({ wait: 'until-accepted' }), { status: 'created', idempotencyStatus: 'new' })
    gate.open()
    await story.bulkhead.idle()
  },
)

t.test('a wait of 0 s is answered at once, and the work goes on', { buffered: true }, async (t) => {
  const gate = createGate()
  const story = startStory({ add: [() => gate.passed.then(() => created())], status: [created('c')] })
  t.match(await story.run({ wait: 0 }), { status: 'unknown', idempotencyStatus: 'new' })
  gate.open()
  await story.bulkhead.idle()
  t.match(await story.ledger.find('a'), { state: 'created', clientId: 'c' })
})

t.test('a wait of the caller’s own ends in time, and the work goes on', { buffered: true }, async (t) => {
  const gate = createGate()
  const story = startStory({ add: [() => gate.passed.then(() => created())], status: [created('c')] })
  const startedAt = performance.now()
  const first = story.run({ wait: 1000, arrivedAt: startedAt - 800 })
  t.strictSame(await first, { status: 'unknown', requestId: 'a', idempotencyStatus: 'new' })
  const tookMs = performance.now() - startedAt
  t.ok(tookMs >= 199, `${tookMs} ms: it counts from the arrival`)
  t.strictSame(await story.run({ wait: 1, arrivedAt: performance.now() - 1 }), {
    status: 'unknown',
    requestId: 'a',
    idempotencyStatus: 'joined',
  })
  const joined = story.run()
  gate.open()
  t.strictSame(await joined, { ...isNew, idempotencyStatus: 'joined' })
  await story.bulkhead.idle()
  await nextTurn()
  t.match(await story.ledger.find('a'), { state: 'created', clientId: 'c' })
  const message = 'The caller’s wait was over; this line records how the create ended'
  t.strictSame(story.logs, Array(2).fill({ level: 'info', fields: { outcome: 'created' }, message }))
})

t.test('a fault after the wait is noted', { buffered: true }, async (t) => {
  const gate = createGate()
  const fault = new Error('a fault of ours')
  const story = startStory({ add: [() => gate.passed.then(() => Promise.reject(fault))] })
  t.match(await story.run({ wait: 10 }), { status: 'unknown' })
  gate.open()
  await story.bulkhead.idle()
  await nextTurn()
  const message = 'The caller’s wait was over; this line records how the create ended'
  t.strictSame(story.logs, [{ level: 'warn', fields: { err: fault }, message }])
})

t.test('what is in work is told as that when the wait is over', { buffered: true }, async (t) => {
  const gate = createGate()
  const story = startStory({ add: [processing], status: [() => gate.passed.then(() => created('c'))] })
  t.strictSame(await story.run({ wait: 1000 }), { status: 'processing', requestId: 'a', idempotencyStatus: 'new' })
  gate.open()
  await story.bulkhead.idle()
  t.match(await story.ledger.find('a'), { state: 'created' })
})

t.test('a repeated key on an unknown row honours the wait', { buffered: true }, async (t) => {
  for (const [state, status] of [
    ['unknown', 'unknown'],
    ['processing', 'processing'],
  ] as const) {
    const gate = createGate()
    const story = startStory({ status: [() => gate.passed.then(() => created('c'))] })
    await story.write({ state })
    t.match(await story.run({ wait: 300 }), { status, idempotencyStatus: 'replayed' })
    setImmediate(() => gate.open())
    await story.bulkhead.idle()
  }
})

t.test('an answer within the wait leaves no line', { buffered: true }, async (t) => {
  const story = startStory({ add: [created()], status: [created('c')] })
  t.strictSame(await story.run({ wait: 60_000 }), isNew)
  t.strictSame(story.logs, [])
})

t.test('a wait that is over already is no fault of the program', { buffered: true }, async (t) => {
  const warnings: Error[] = []
  const listen = (warning: Error) => warnings.push(warning)
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  const story = startStory({ add: [created()], status: [created('c')] })
  await story.run({ wait: 1, arrivedAt: performance.now() - 1000 })
  await story.bulkhead.idle()
  await nextTurn()
  t.strictSame(
    warnings.filter(({ name }) => name === 'TimeoutNegativeWarning'),
    [],
  )
})

t.test('a wait that ends before the claim is made ends with the claim', { buffered: true }, async (t) => {
  const [claimable, answered] = [createGate(), createGate()]
  const story = startStory({
    add: [() => answered.passed.then(() => created())],
    status: [created('c')],
    disturb: (ledger) => ({ claim: (claim) => claimable.passed.then(() => ledger.claim(claim)) }),
  })
  const answer = story.run({ wait: 1, arrivedAt: performance.now() - 1 })
  t.equal(await Promise.race([answer, sleep(10, 'it waits')]), 'it waits')
  claimable.open()
  t.match(await answer, { status: 'unknown', idempotencyStatus: 'new' })
  answered.open()
  await story.bulkhead.idle()
  t.match(await story.ledger.find('a'), { state: 'created', clientId: 'c' })
})
