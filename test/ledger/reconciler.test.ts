import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Change, Ledger, Row } from '../../src/ledger/ledger.ts'
import { pauseAfter, pauseFor } from '../../src/ledger/question-pauses.ts'
import { type Lesson, type ReconcilerParts, startReconciler } from '../../src/ledger/reconciler.ts'
import type { State } from '../../src/ledger/states.ts'
import * as rows from '../fixtures/ledger-rows.ts'
import { newClaim, openTestLedger } from '../fixtures/ledgers.ts'
import { checkProperty } from '../fixtures/property.ts'
import { createGate } from '../fixtures/stand-in-partner.ts'
import { until } from '../fixtures/until.ts'

const minuteMs = 60_000

interface LoggedLine {
  level: 'info' | 'warn'
  fields: Record<string, unknown>
  message: string
}

/** A question that taught nothing, but for `what`. */
function lesson(what: Partial<Lesson> = {}): Lesson {
  const nothing = { change: undefined, doubts: 0, isAcknowledged: false, isAnswered: true, throttledMs: 0 }
  return { ...nothing, concludesInMs: Infinity, ...what }
}

interface Options {
  readonly leaseMs?: number
  readonly concurrency?: number
}

function start(
  t: Test,
  ledger: Ledger,
  findOut: ReconcilerParts['findOut'],
  { leaseMs = minuteMs, concurrency = 8 }: Options = {},
) {
  const logs: LoggedLine[] = []
  const observed: string[][] = []
  const log = {
    info: (fields: LoggedLine['fields'], message: string) => void logs.push({ level: 'info', fields, message }),
    warn: (fields: LoggedLine['fields'], message: string) => void logs.push({ level: 'warn', fields, message }),
  }
  const observer = {
    foundOut: (state: State) => void observed.push([state]),
    corrected: (from: State, to: State) => void observed.push([from, to]),
  }
  const reconciler = startReconciler({ ledger, findOut, leaseMs, concurrency, log, observer })
  t.teardown(() => reconciler.stop())
  return { reconciler, logs, observed }
}

/** A row that is due now. */
async function makeDue(ledger: Ledger, change?: Change): Promise<string> {
  const claim = newClaim()
  await rows.makeDue(ledger, claim, change)
  return claim.requestId
}

const change: Change = { state: 'created', clientId: 'client-1' }
const created = lesson({ change })

t.test('pauses double from a second to five minutes, less up to a half by chance', async (t) => {
  const longest = [1000, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]
  t.strictSame(
    longest.map((_, asks) => pauseAfter(asks, () => 1)),
    longest,
  )
  t.strictSame(
    longest.map((_, asks) => pauseAfter(asks, () => 0)),
    longest.map((ms) => ms / 2),
  )
  checkProperty(
    t,
    fc.property(fc.nat(2000), (asks) => {
      const ms = pauseAfter(asks)
      return Number.isInteger(ms) && ms >= 500 && ms <= 300_000
    }),
  )
})

// Alone, as it turns the clock for everybody.
await t.test('what is old is forgotten once a minute', async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  let aheadMs = 0
  const now = performance.now.bind(performance)
  t.intercept(performance, 'now', { value: () => now() + aheadMs })
  let times = 0
  const counting: Ledger = {
    ...ledger,
    async forgetOld() {
      times += 1
    },
  }
  let takes = 0
  counting.takeDue = async (leaseMs, limit) => {
    takes += 1
    return ledger.takeDue(leaseMs, limit)
  }
  const { reconciler } = start(t, counting, async () => lesson())
  const turn = async () => {
    const before = takes
    await until(
      () => takes,
      (count) => count > before,
    )
  }
  await turn()
  t.equal(times, 0)
  for (const minutes of [1, 2]) {
    aheadMs = minutes * (minuteMs + 1)
    await turn()
    await turn()
    t.equal(times, minutes)
  }
  await reconciler.stop()
})

// The rest mostly waits, and may do so together.
t.jobs = 20

t.test('a row is asked about with growing pauses until it is final', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  const pauses: number[] = []
  const impatient: Ledger = {
    ...ledger,
    async postpone(postponement) {
      pauses.push(postponement.pauseMs ?? 0)
      await ledger.postpone({ ...postponement, pauseMs: 0 })
    },
  }
  const answers = [lesson(), lesson(), lesson(), lesson(), created]
  const asked: Row[] = []
  const requestId = await makeDue(ledger)
  const { reconciler, logs, observed } = start(t, impatient, async (row) => answers[asked.push(row) - 1] ?? created)
  await until(
    () => ledger.find(requestId),
    (row) => row?.state === 'created',
  )
  await reconciler.stop()
  t.strictSame(
    asked.map(({ state, asks }) => [state, asks]),
    [1, 2, 3, 4, 5].map((asks) => ['unknown', asks]),
  )
  for (const [i, ms] of pauses.entries()) t.ok(ms >= 500 * 2 ** i && ms <= 1000 * 2 ** i, `pause ${i + 1}: ${ms} ms`)
  t.strictSame(logs, [
    { level: 'info', fields: { requestId, state: 'created', asks: 5 }, message: 'the reconciler learned the outcome' },
  ])
  t.strictSame(observed, [['created']])
})

t.test('each place is filled as soon as it is free, and no more are there', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  await Promise.all(Array.from({ length: 2000 }, () => makeDue(ledger)))
  const concurrency = 16
  const running = new Map<string, ReturnType<typeof createGate>>()
  let most = 0
  let asked = 0
  const { observed } = start(
    t,
    ledger,
    async ({ requestId }) => {
      const gate = createGate()
      running.set(requestId, gate)
      most = Math.max(most, running.size)
      asked += 1
      // The rest is not held up.
      if (asked > 100) setTimeout(gate.open, 5)
      await gate.passed
      running.delete(requestId)
      return created
    },
    { concurrency },
  )
  await until(
    () => asked,
    (count) => count === concurrency,
  )
  for (let ended = 1; ended <= 50; ended++) {
    const [first] = running.values()
    first?.open()
    // Some turns of the event loop, and no poll's pause.
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    t.equal(asked, concurrency + ended, 'where one ends, the next starts')
  }
  for (const gate of running.values()) gate.open()
  const opening = setInterval(() => {
    for (const gate of running.values()) gate.open()
  }, 5)
  t.teardown(() => clearInterval(opening))
  await until(
    () => observed.length,
    (count) => count === 2000,
  )
  t.equal(most, concurrency)
  t.equal(asked, 2000, 'each once')
})

t.test('when FreedomPay asks for a pause, nothing is asked until it is over', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  for (let i = 0; i < 5; i++) await makeDue(ledger)
  const askedAt: number[] = []
  const findOut = async () => {
    askedAt.push(performance.now())
    return askedAt.length === 1 ? lesson({ throttledMs: 1500, isAnswered: false }) : created
  }
  const { observed } = start(t, ledger, findOut, { concurrency: 1 })
  await until(
    () => observed.length,
    (count) => count >= 4,
  )
  const pauseMs = (askedAt[1] ?? 0) - (askedAt[0] ?? 0)
  t.ok(pauseMs >= 1490, `${pauseMs} ms`)
})

t.test('what was inferred and turns out to be wrong is said and counted', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  const wrong = [
    { from: 'not-created', to: change },
    { from: 'rejected', to: change },
    { from: 'rejected', to: { state: 'processing' } },
  ] as const
  const changes = new Map<string, Change>()
  for (const { from, to } of wrong) changes.set(await makeDue(ledger, { state: from, isInferred: true }), to)
  const confirmed = await makeDue(ledger, { state: 'rejected', isInferred: true })
  changes.set(confirmed, { state: 'rejected', partnerCode: '1' })
  const { logs, observed } = start(t, ledger, async ({ requestId }) =>
    lesson({ change: changes.get(requestId) ?? change }),
  )
  await until(
    () => ledger.find(confirmed),
    (row) => row?.isInferred === false,
  )
  await until(
    () => observed.length,
    (count) => count >= 3,
  )
  const corrections = observed.filter(([, to]) => to !== undefined).map((states) => states.join(' to '))
  t.strictSame(corrections.toSorted().slice(0, 3), [
    'not-created to created',
    'rejected to created',
    'rejected to processing',
  ])
  t.equal(logs.filter(({ message, level }) => message === 'an outcome was corrected' && level === 'warn').length, 3)
})

t.test('how long a row waits for its next question', async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  const base = (await ledger.claim(newClaim())).row
  const hourMs = 60 * minuteMs
  const inferred: Row = { ...base, state: 'not-created', isInferred: true }
  const askedAfter = [minuteMs, 10 * minuteMs, hourMs, 24 * hourMs]
  const schedule = askedAfter.map((sinceUpdateMs) => pauseFor({ ...inferred, asks: 7, sinceUpdateMs }, lesson()))
  t.strictSame(schedule, [9 * minuteMs, 50 * minuteMs, 23 * hourMs, undefined], 'after 1 min, 10 min, 1 h and 24 h')
  t.equal(
    pauseFor({ ...inferred, sinceUpdateMs: minuteMs + 400.5 }, lesson()),
    9 * minuteMs - 400,
    'counted from the conclusion',
  )
  const last = { ...inferred, sinceUpdateMs: 25 * hourMs }
  t.equal(pauseFor(last, lesson({ isAnswered: false })), minuteMs, 'without an answer, once more')
  const throttled = lesson({ isAnswered: false, throttledMs: 5 * minuteMs })
  t.equal(pauseFor({ ...inferred, asks: 1 }, throttled), 5 * minuteMs)

  const unknown: Row = { ...base, state: 'unknown', asks: 9, sinceLastSendMs: hourMs }
  const usualMs = pauseFor(unknown, lesson()) ?? 0
  t.ok(usualMs >= 128_000 && usualMs <= 256_000, `${usualMs} ms`)
  t.equal(pauseFor(unknown, lesson({ concludesInMs: 1234.5 })), 1235, 'at the moment when it can be concluded')
  t.equal(pauseFor(unknown, lesson({ concludesInMs: 10, throttledMs: 20_000 })), 20_000)
  const dayOld = { ...unknown, sinceLastSendMs: 24 * hourMs }
  t.equal(pauseFor(dayOld, lesson()), hourMs, 'once an hour')
  t.equal(pauseFor(dayOld, lesson({ concludesInMs: 500 })), 500)
})

t.test(
  'a question without an answer is asked again in a minute for an inferred state',
  { buffered: true },
  async (t) => {
    const ledger = await openTestLedger(t, 'memory:')
    const postponed: unknown[] = []
    const noting: Ledger = {
      ...ledger,
      async postpone({ asks, pauseMs, doubts, isAcknowledged }) {
        postponed.push({ asks, pauseMs, doubts, isAcknowledged })
      },
    }
    await makeDue(ledger, { state: 'rejected', isInferred: true })
    start(t, noting, async () => lesson({ isAnswered: false, doubts: 2, isAcknowledged: true }))
    await until(
      () => postponed.length,
      (count) => count === 1,
    )
    t.strictSame(postponed, [{ asks: 1, pauseMs: minuteMs, doubts: 2, isAcknowledged: true }])
  },
)

t.test(
  'a rejection from doubt is not believed if a create heard another answer meanwhile',
  { buffered: true },
  async (t) => {
    const ledger = await openTestLedger(t, 'memory:')
    const claim = newClaim()
    await rows.makeDue(ledger, claim)
    const { requestId, claimToken } = claim
    await ledger.takeDue(0, 1)
    await ledger.postpone(rows.postponement(claim, { takenAsks: 1, asks: 1, doubts: 2 }))
    const asked: Row[] = []
    start(t, ledger, async (row) => {
      asked.push(row)
      await ledger.record(requestId, claimToken, { state: 'processing' })
      return lesson({ change: { state: 'rejected', isInferred: true }, doubts: 3 })
    })
    await until(
      () => ledger.find(requestId),
      (row) => row?.state === 'processing' && asked.length === 1,
    )
    t.match(await ledger.find(requestId), { state: 'processing', doubts: 0 })
    t.match(asked, [{ doubts: 2 }])
  },
)

t.test('a create that was claimed anew while it was asked about is left alone', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  const claim = newClaim({ deadlineMs: 1 })
  const { requestId } = claim
  await ledger.claim(claim)
  await ledger.postpone(rows.postponement(claim))
  const asking = createGate()
  const answer = createGate()
  const { reconciler, logs, observed } = start(t, ledger, async () => {
    asking.open()
    await answer.passed
    return lesson({ change: { state: 'not-created', isInferred: true } })
  })
  await asking.passed
  // A caller came back with its key, and is now sending the same once more.
  await ledger.renew(rows.renewal(claim))
  answer.open()
  await reconciler.stop()
  t.match(await ledger.find(requestId), { state: 'sent', claims: 2, asks: 0 }, 'nothing is concluded')
  t.strictSame(await ledger.takeDue(minuteMs, 1), [], 'and nothing is asked before its time is over')
  t.strictSame([...logs, ...observed], [])
})

t.test('an outage of the ledger is said once, and afterwards it goes on', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  let outages = 3
  const gone = new Error('gone')
  const failing: Ledger = {
    ...ledger,
    takeDue(leaseMs, limit) {
      if (outages === 0) return ledger.takeDue(leaseMs, limit)
      outages -= 1
      return Promise.reject(gone)
    },
  }
  const asked: string[] = []
  const made: string[] = []
  const { logs } = start(t, failing, async ({ requestId }) => {
    asked.push(requestId)
    return created
  })
  for (const outage of [1, 2]) {
    outages = 3
    await until(
      () => outages,
      (left) => left === 0,
    )
    const requestId = await makeDue(ledger)
    made.push(requestId)
    await until(
      () => ledger.find(requestId),
      (row) => row?.state === 'created',
    )
    const said = logs.filter(({ message }) => message === 'the reconciler cannot reach the ledger')
    t.strictSame(
      said.map(({ fields }) => fields),
      Array(outage).fill({ err: gone }),
    )
  }
  t.strictSame(asked, made, 'nothing else is asked about')
})

t.test('a fault with one row is said, and the row comes again after its lease', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  const requestId = await makeDue(ledger)
  const fault = new Error('a fault')
  let asks = 0
  const findOut = async () => {
    asks += 1
    if (asks === 1) throw fault
    return created
  }
  const { logs } = start(t, ledger, findOut, { leaseMs: 1 })
  await until(
    () => ledger.find(requestId),
    (row) => row?.state === 'created',
  )
  t.match(logs[0], {
    level: 'warn',
    fields: { requestId, err: fault },
    message: 'a question about a create failed; the row is due again when its lease expires',
  })
})

t.test('it stops although an answer is still awaited, and says nothing of it', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  await makeDue(ledger)
  let isAborted: boolean | undefined
  const { reconciler, logs } = start(t, ledger, (_row, _log, signal) => {
    isAborted = false
    return new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => {
        isAborted = true
        reject(signal.reason)
      }),
    )
  })
  await until(
    () => isAborted,
    (aborted) => aborted === false,
  )
  await reconciler.stop()
  t.equal(isAborted, true)
  t.strictSame(logs, [])
})

t.test('it stops in the middle of a pause', { buffered: true }, async (t) => {
  const ledger = await openTestLedger(t, 'memory:')
  await makeDue(ledger)
  const { reconciler } = start(t, ledger, async () => {
    asked.open()
    return lesson({ throttledMs: 3_600_000, isAnswered: false })
  })
  const asked = createGate()
  await asked.passed
  await nextTurn()
  await reconciler.stop()
  t.pass('stopped')
})

/** One question about a row without a final outcome, beside a ledger that is partly another. Resolves with the calls that followed. */
async function askOnce(t: Test, learned: Lesson, other: (ledger: Ledger) => Partial<Ledger> = () => ({})) {
  const ledger = await openTestLedger(t, 'memory:')
  const calls: unknown[] = []
  const over = createGate()
  const ownParts = other(ledger)
  const noting: Ledger = {
    ...ledger,
    ...ownParts,
    async record(...args) {
      calls.push('record')
      over.open()
      return await (ownParts.record ?? ledger.record)(...args)
    },
    async postpone({ doubts }) {
      calls.push({ doubts })
      over.open()
    },
  }
  const requestId = await makeDue(ledger)
  const { reconciler, logs, observed } = start(t, noting, async () => learned)
  await over.passed
  // A postponement would follow at once.
  for (let turns = 0; turns < 5; turns++) await nextTurn()
  await reconciler.stop()
  return { calls, logs, observed, requestId }
}

t.test('a change that the ledger takes is told, and the row is not postponed', { buffered: true }, async (t) => {
  const { calls, logs, observed, requestId } = await askOnce(t, created)
  t.strictSame(calls, ['record'])
  t.strictSame(observed, [['created']])
  const message = 'the reconciler learned the outcome'
  t.strictSame(logs, [{ level: 'info', fields: { requestId, state: 'created', asks: 1 }, message }])
})

t.test('a change that is not final is neither told nor counted', { buffered: true }, async (t) => {
  const { logs, observed } = await askOnce(t, lesson({ change: { state: 'processing' } }))
  t.strictSame([logs, observed], [[], []])
})

t.test('a rejection that was inferred and is confirmed is neither told nor counted', { buffered: true }, async (t) => {
  const inferred = (ledger: Ledger): Partial<Ledger> => ({
    async takeDue(...args) {
      const due = await ledger.takeDue(...args)
      return due.map((row) => ({ ...row, state: 'rejected', isInferred: true }))
    },
  })
  const { logs, observed } = await askOnce(t, lesson({ change: { state: 'rejected' } }), inferred)
  t.strictSame([logs, observed], [[], []])
})

t.test('a row that the ledger has lost, or keeps, is postponed without a line', { buffered: true }, async (t) => {
  const lost = await askOnce(t, created, () => ({ record: async () => undefined }))
  t.strictSame([lost.calls, lost.logs, lost.observed], [['record', { doubts: 0 }], [], []])
  const keeps = (ledger: Ledger): Partial<Ledger> => ({
    async record(requestId) {
      const row = await ledger.find(requestId)
      return row && { row, was: undefined }
    },
  })
  const kept = await askOnce(t, created, keeps)
  t.strictSame([kept.calls, kept.logs, kept.observed], [['record', { doubts: 0 }], [], []])
})

t.test('only what is concluded from doubt needs an unchanged row', { buffered: true }, async (t) => {
  const inferred = lesson({ change: { state: 'rejected', isInferred: true }, doubts: 3 })
  const withLatest = (change: Partial<Row> | undefined) => (ledger: Ledger) => ({
    async find(requestId: string) {
      const row = await ledger.find(requestId)
      return row && change && { ...row, ...change }
    },
  })
  t.strictSame((await askOnce(t, inferred, withLatest({}))).calls, ['record'], 'unchanged')
  for (const change of [{ state: 'processing' as const }, { doubts: 1 }, undefined]) {
    const { calls, logs } = await askOnce(t, inferred, withLatest(change))
    t.strictSame([calls, logs], [[{ doubts: 0 }], []], `changed: ${JSON.stringify(change)}`)
  }
  t.strictSame((await askOnce(t, created, withLatest({ state: 'processing' }))).calls, ['record'], 'an answer')
})
