/** A claim under which nothing was sent, while the ledger could not be told: its key works again once the ledger answers. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { UnusedClaims } from '../../../src/clients/create/unused-claims.ts'
import type { Ledger, Row } from '../../../src/ledger/ledger.ts'
import { openMemoryLedger } from '../../../src/ledger/memory.ts'
import { startStory } from '../../fixtures/create-story.ts'
import { outcomes } from '../../fixtures/scripted-card-api.ts'
import { until } from '../../fixtures/until.ts'

const { created, notAdmitted, notSent, noSuchRequest, unknown } = outcomes

// They mostly wait, so they may do it together.
t.jobs = 20

const isNew = { status: 'created', clientId: 'c', requestId: 'a', idempotencyStatus: 'new' }
const isUnavailable = { code: 'ledger-unavailable', safeToRetry: 'same-key-only', hasRetryAfter: true }
const lost = () => Promise.reject(new Error('the answer was lost'))

/** The calls whose numbers are named reach the ledger, but their answers are lost. */
function loseAnswers<Args extends unknown[], Result>(
  call: (...args: Args) => Promise<Result>,
  isLost: (number: number) => boolean,
): (...args: Args) => Promise<Result> {
  let number = 0
  return async (...args) => {
    number++
    const isLate = isLost(number)
    const result = await call(...args)
    return isLate ? lost() : result
  }
}

const first = (number: number) => number === 1

function untilRow(ledger: Ledger, isWanted: (row: Row) => boolean): Promise<Row | undefined> {
  return until(
    () => ledger.find('a'),
    (row) => row !== undefined && isWanted(row),
  )
}

t.test('a key whose claim was taken without an answer works again, also without resends', async (t) => {
  const story = startStory({
    add: [created()],
    status: [created('c')],
    mayResend: false,
    disturb: (ledger) => ({ claim: loseAnswers(ledger.claim, first) }),
  })
  t.match(await story.run(), isUnavailable)
  t.match(await story.ledger.find('a'), { state: 'sent' })
  t.strictSame(story.partner.calls, [])
  const row = await untilRow(story.ledger, ({ state }) => state !== 'sent')
  t.match(row, { state: 'not-created', isInferred: false, mayHaveArrived: false })
  t.strictSame(await story.run(), isNew)
  t.equal(story.partner.count('add'), 1)
})

t.test('a claim that the ledger takes after all, however late, changes nothing any more', async (t) => {
  let runLate = lost as () => Promise<unknown>
  let calls = 0
  const story = startStory({
    add: [created()],
    status: [created('c')],
    mayResend: false,
    disturb: (ledger) => ({
      claim(claim) {
        calls++
        if (calls > 1) return ledger.claim(claim)
        runLate = () => ledger.claim(claim)
        return lost()
      },
    }),
  })
  t.match(await story.run(), isUnavailable)
  await untilRow(story.ledger, ({ state }) => state === 'not-created')
  await runLate()
  t.match(await story.ledger.find('a'), { state: 'not-created' })
  t.strictSame(await story.run(), isNew)
})

t.test('a row that another request has claimed meanwhile is left alone', async (t) => {
  let calls = 0
  const story = startStory({
    disturb: (ledger) => ({
      async claim(claim) {
        calls++
        if (calls > 1) return ledger.claim(claim)
        await ledger.claim({ ...claim, claimToken: 'of another', deadlineMs: 60_000 })
        return lost()
      },
    }),
  })
  t.match(await story.run(), isUnavailable)
  await until(() => calls > 1)
  await nextTurn()
  t.match(await story.ledger.find('a'), { state: 'sent', claimToken: 'of another' })
})

t.test('the ledger is asked until it answers', async (t) => {
  for (const method of ['claim', 'record'] as const) {
    let calls = 0
    const isDown = (is: typeof method) => is === method && ++calls <= 3
    const story = startStory({
      add: [created()],
      status: [created('c')],
      mayResend: false,
      disturb: (ledger) => ({
        claim: loseAnswers(ledger.claim, (number) => number === 1 || isDown('claim')),
        record: async (...change) => (isDown('record') ? lost() : ledger.record(...change)),
      }),
    })
    t.match(await story.run(), isUnavailable)
    await untilRow(story.ledger, ({ state }) => state === 'not-created')
    t.equal(calls, 4)
    t.strictSame(await story.run(), isNew)
  }
})

t.test('a row that was to be sent anew is as before', async (t) => {
  for (const isInferred of [false, true]) {
    const story = startStory({ disturb: (ledger) => ({ renew: loseAnswers(ledger.renew, first) }) })
    await story.write({ state: 'not-created', isInferred })
    t.match(await story.run(), isUnavailable)
    t.match(await story.ledger.find('a'), { state: 'sent', claims: 2 })
    const row = await untilRow(story.ledger, ({ state }) => state !== 'sent')
    t.match(row, { state: isInferred ? 'unknown' : 'not-created', isInferred: false, mayHaveArrived: isInferred })
    t.strictSame(story.partner.calls, [])
  }
})

t.test('a renewal without an answer before a further send does not hold the key', async (t) => {
  const rows = [
    { add: notSent, state: 'not-created', mayHaveArrived: false },
    { add: unknown, state: 'unknown', mayHaveArrived: true },
  ]
  for (const { add, ...row } of rows) {
    const story = startStory({
      add: [add],
      status: [noSuchRequest],
      disturb: (ledger) => ({ renew: loseAnswers(ledger.renew, first) }),
    })
    await story.run()
    t.equal(story.partner.count('add'), 1)
    t.match(await untilRow(story.ledger, ({ state }) => state !== 'sent'), { ...row, claims: 2 })
  }
})

t.test('what FreedomPay did not take, and could not be recorded, does not hold the key', async (t) => {
  let calls = 0
  const story = startStory({
    add: [notAdmitted, created()],
    status: [created('c')],
    mayResend: false,
    disturb: (ledger) => ({ record: async (...change) => (++calls <= 2 ? lost() : ledger.record(...change)) }),
  })
  t.match(await story.run(), { code: 'partner-unavailable', safeToRetry: 'same-key-only' })
  t.match(await story.ledger.find('a'), { state: 'sent' })
  const row = await untilRow(story.ledger, ({ state }) => state !== 'sent')
  t.match(row, { state: 'not-created', isInferred: false, claims: 1 })
  t.strictSame(await story.run(), isNew)
})

t.test('what FreedomPay may have taken, and could not be recorded, is left to be found out', async (t) => {
  let calls = 0
  const story = startStory({
    add: [created()],
    status: [created('c')],
    disturb: () => ({
      record() {
        calls++
        return lost()
      },
    }),
  })
  t.strictSame(await story.run(), isNew)
  await story.claims.stop()
  t.equal(calls, 1)
  t.match(await story.ledger.find('a'), { state: 'sent' })
})

/** Claims that a ledger in memory has taken, and their rows. */
function startGivingBack(count: number, longestMs?: number) {
  const ledger = openMemoryLedger({ retentionMs: 3_600_000 })
  const logs: unknown[][] = []
  const log = (...line: unknown[]) => void logs.push(line)
  const unused = new UnusedClaims(ledger, { info: log, warn: log }, longestMs)
  const requestIds = Array.from({ length: count }, (_, i) => `request ${i}`)
  let repeated = 0
  let underWay = 0
  let mostUnderWay = 0
  function add(requestId: string, answer: () => Promise<unknown> = async () => undefined): void {
    const claim = { requestId, keyId: undefined, caller: '', fingerprint: '', claimToken: 'own', deadlineMs: 60_000 }
    async function repeat(): Promise<void> {
      repeated++
      underWay++
      mostUnderWay = Math.max(mostUnderWay, underWay)
      await nextTurn()
      underWay--
      await answer()
      await ledger.claim(claim)
    }
    unused.add({ requestId, claimToken: 'own', repeat, state: 'not-created' })
  }
  const states = async () => (await Promise.all(requestIds.map((id) => ledger.find(id)))).map((row) => row?.state)
  return { unused, requestIds, add, states, logs, counts: () => ({ repeated, mostUnderWay }) }
}

t.test('a process that stops gives its claims back without a pause, a few at once', async (t) => {
  const { unused, requestIds, add, states, logs, counts } = startGivingBack(40)
  for (const requestId of requestIds) add(requestId)
  await unused.stop()
  t.strictSame(new Set(await states()), new Set(['not-created']))
  t.strictSame(counts(), { repeated: 40, mostUnderWay: 16 })
  t.equal(logs.length, 40)
  t.strictSame(logs[0], [{ requestId: 'request 0', state: 'not-created' }, 'a claim that was not used is given back'])
  await unused.stop()
})

t.test('a process that stops does not wait for a ledger that refuses or hangs', async (t) => {
  for (const answer of [lost, () => new Promise(() => undefined)]) {
    const { unused, add, counts } = startGivingBack(1)
    add('request 0', answer)
    await unused.stop()
    t.equal(counts().repeated, 1)
  }
})

t.test('one that fails holds up no other', async (t) => {
  const { unused, requestIds, add, states, counts } = startGivingBack(2)
  for (let i = 0; i < 16; i++) add('refused', lost)
  for (const requestId of requestIds) add(requestId)
  const seen = await until(states, (seen) => !seen.includes('sent') && !seen.includes(undefined))
  t.strictSame(seen, ['not-created', 'not-created'])
  const { repeated } = counts()
  await until(() => counts().repeated > repeated)
  await unused.stop()
})

t.test('one that fails is given up in the end', async (t) => {
  const { unused, add, logs, counts } = startGivingBack(1, 0)
  add('refused', lost)
  await until(() => logs.length)
  t.match(logs, [
    [
      { requestId: 'refused', err: { message: 'the answer was lost' } },
      'a claim that was not used could not be given back',
    ],
  ])
  await unused.stop()
  t.equal(counts().repeated, 1)
})

t.test('of many claims the first are kept', async (t) => {
  const { unused, requestIds, add, states, counts } = startGivingBack(10_001)
  for (const requestId of requestIds) add(requestId)
  await until(() => counts().repeated === 10_000)
  await unused.stop()
  const seen = await states()
  t.strictSame([seen.length, seen.indexOf(undefined)], [10_001, 10_000])
})
