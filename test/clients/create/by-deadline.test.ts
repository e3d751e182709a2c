/** A ledger that does not answer: a create is answered by its own deadline all the same. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { beforeDeadline, byDeadline, ledgerMarginMs } from '../../../src/clients/create/by-deadline.ts'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { type Story, startStory } from '../../fixtures/create-story.ts'
import { outcomes } from '../../fixtures/scripted-card-api.ts'
import { createGate } from '../../fixtures/stand-in-partner.ts'
import { until } from '../../fixtures/until.ts'

const { created, unknown, notAdmitted, notSent } = outcomes

// They mostly wait, so they may do it together.
t.jobs = 20

const deadlineMs = 1000
const isNew = { status: 'created', clientId: 'c', requestId: 'a', idempotencyStatus: 'new' }

/** A ledger whose method does not answer until the gate opens. */
function holdUp(method: 'claim' | 'renew' | 'record' | 'find' | 'findByKey', story: Story = {}) {
  const gate = createGate()
  const hold =
    <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      await gate.passed
      return call(...args)
    }
  const disturb = (ledger: Ledger): Partial<Ledger> => ({ [method]: hold(ledger[method] as () => Promise<unknown>) })
  return { gate, story: startStory({ add: [created()], status: [created('c')], deadlineMs, disturb, ...story }) }
}

t.test('an answer of the ledger is awaited until the deadline and a little more', async (t) => {
  t.equal(await byDeadline(Promise.resolve(1), performance.now() - 60_000), 1)
  await t.rejects(byDeadline(Promise.reject(new Error('gone')), performance.now() + 60_000), { message: 'gone' })
  const never = new Promise(() => undefined)
  await t.rejects(byDeadline(never, performance.now() - 60_000), {
    message: `no answer from the ledger within ${ledgerMarginMs + 1} ms`,
  })
  t.equal(await byDeadline(sleep(10, 'late'), performance.now()), 'late')
  await t.rejects(beforeDeadline(never, performance.now()), { message: 'no answer from the ledger within 1 ms' })
  t.equal(await beforeDeadline(sleep(10, 'late'), performance.now() - 60_000, 60_000), 'late')
})

t.test('a claim that is not answered by the deadline sends nothing, also when it is given afterwards', async (t) => {
  const { gate, story } = holdUp('claim')
  t.match(await story.run(), { code: 'ledger-unavailable', safeToRetry: 'same-key-only' })
  gate.open()
  await until(
    () => story.ledger.find('a'),
    (row) => row?.state === 'not-created',
  )
  t.strictSame(story.partner.calls, [])
})

t.test('a request whose body came late is told of its key', async (t) => {
  const story = startStory({ disturb: (ledger) => ({ claim: (claim) => sleep(20).then(() => ledger.claim(claim)) }) })
  await story.write({ state: 'created', clientId: 'c' })
  t.match(await story.run({ arrivedAt: performance.now() - 60_000 }), {
    status: 'created',
    idempotencyStatus: 'replayed',
  })
})

t.test('a renewal that is not answered by the deadline sends nothing', async (t) => {
  const { gate, story } = holdUp('renew')
  await story.write({ state: 'not-created' })
  t.match(await story.run(), { code: 'ledger-unavailable', safeToRetry: 'same-key-only' })
  gate.open()
  await until(
    () => story.ledger.find('a'),
    (row) => row?.state === 'not-created' && row.claims === 2,
  )
  t.strictSame(story.partner.calls, [])
})

t.test('an outcome that is not recorded by the deadline is told, and recorded afterwards', async (t) => {
  const { gate, story } = holdUp('record')
  t.strictSame(await story.run(), isNew)
  t.match(await story.ledger.find('a'), { state: 'sent' })
  t.strictSame(story.logs, [])
  gate.open()
  await until(
    () => story.ledger.find('a'),
    (row) => row?.state === 'created',
  )
  t.match(await story.ledger.find('a'), { clientId: 'c' })
  t.strictSame(story.logs, [])
})

t.test('what was not taken, and is not recorded by the deadline, may come again with the same key only', async (t) => {
  const { gate, story } = holdUp('record', { add: [notAdmitted] })
  t.match(await story.run(), { code: 'partner-unavailable', safeToRetry: 'same-key-only' })
  gate.open()
  await until(
    () => story.ledger.find('a'),
    (row) => row?.state === 'not-created',
  )
})

t.test('a record that fails after the deadline is noted, and given back if nothing was taken', async (t) => {
  const gate = createGate()
  let calls = 0
  const story = startStory({
    add: [notAdmitted],
    deadlineMs,
    disturb: (ledger) => ({
      async record(...change) {
        if (++calls > 1) return ledger.record(...change)
        await gate.passed
        throw new Error('gone')
      },
    }),
  })
  t.match(await story.run(), { code: 'partner-unavailable' })
  t.strictSame(story.logs, [])
  gate.open()
  await until(
    () => story.ledger.find('a'),
    (row) => row?.state === 'not-created',
  )
  t.match(story.logs[0], { level: 'error', message: 'the outcome could not be written to the ledger' })
})

t.test('a wait that is over is answered from memory if the row cannot be read by the deadline', async (t) => {
  for (const waitMs of [1, undefined]) {
    const asked = createGate()
    const { gate, story } = holdUp('find', {
      add: [() => asked.passed.then(() => created())],
      deadlineMs,
    })
    const first = story.run({ wait: waitMs ?? 60_000 })
    if (waitMs === undefined) {
      await until(() => story.partner.calls.length === 1)
      t.match(await story.run({ wait: 1 }), { status: 'unknown', idempotencyStatus: 'joined' })
    } else t.match(await first, { status: 'unknown', idempotencyStatus: 'new' })
    gate.open()
    asked.open()
    await first
    await story.bulkhead.idle()
  }
})

t.test('an outcome is written although a renewal before was not answered', async (t) => {
  const { gate, story } = holdUp('renew', { add: [notSent] })
  t.match(await story.run(), { code: 'partner-unavailable' })
  t.match(await story.ledger.find('a'), { state: 'not-created', claims: 1 })
  gate.open()
})

t.test(
  'a request without a place, and one too many that joins, do not wait for the ledger beyond theirs',
  async (t) => {
    const { gate, story } = holdUp('findByKey', { places: 0 })
    t.match(await story.run(), { code: 'overloaded', safeToRetry: 'same-key-only' })
    gate.open()

    const sent = createGate()
    const joining = holdUp('find', { add: [() => sent.passed.then(() => unknown)], waiting: 0, deadlineMs })
    const first = joining.story.run()
    await until(() => joining.story.partner.calls.length === 1)
    t.match(await joining.story.run(), { status: 'unknown', idempotencyStatus: 'joined' })
    joining.gate.open()
    sent.open()
    await first
    await nextTurn()
  },
)
