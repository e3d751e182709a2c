import t from 'tap'
import { buildFindOut, toKnowledge } from '../../../src/clients/create/find-out.ts'
import { knowNothing } from '../../../src/clients/create/judge.ts'
import type { Change, Row } from '../../../src/ledger/ledger.ts'
import type { CardApi } from '../../../src/partner/card-api.ts'
import type { Outcome } from '../../../src/partner/outcome.ts'
import { rowWith } from '../../fixtures/rows.ts'
import { type Answer, outcomes, scriptCardApi } from '../../fixtures/scripted-card-api.ts'
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
  unheardOf,
  unknown,
  drift,
} = outcomes
const log = { warn: () => undefined }
const settings = { askMs: 1000, absentMs: 60_000, doubtMs: 30_000 }

async function findOut(row: Partial<Row>, answer: Answer) {
  const partner = scriptCardApi({ status: [answer] })
  const before = performance.now()
  const lesson = await buildFindOut(partner, settings)(rowWith(row), log, new AbortController().signal)
  return { ...lesson, partner, before }
}

t.test('a row tells what is known of it', async (t) => {
  const atFirst = knowNothing(49_000)
  const rows: [Partial<Row>, ReturnType<typeof toKnowledge>][] = [
    [{}, atFirst],
    [{ state: 'unknown' }, atFirst],
    [{ state: 'not-created' }, atFirst],
    [{ state: 'rejected' }, atFirst],
    [{ state: 'processing' }, { ...atFirst, known: 'processing', isAcknowledged: true }],
    [{ state: 'created' }, { ...atFirst, known: 'created', isAcknowledged: true }],
    [{ isAcknowledged: true }, { ...atFirst, isAcknowledged: true }],
    [{ sinceLastSendMs: -500 }, { ...atFirst, lastSendAt: 50_500 }],
    [
      { doubts: 1, doubtedForMs: 700 },
      { ...atFirst, doubts: 1, doubtedSince: 49_300 },
    ],
    [{ doubts: 0, doubtedForMs: 700 }, atFirst],
  ]
  for (const [row, knowledge] of rows) t.strictSame(toKnowledge(rowWith(row), 50_000), knowledge, JSON.stringify(row))
})

const longAgo = { sinceLastSendMs: 60_000 }
/** Two doubtful errors that have stood long enough: the next one is believed. */
const nearlyBelieved = { doubts: 2, doubtedForMs: 30_000 }
const inferredAbsence: Partial<Row> = { state: 'not-created', isInferred: true, ...longAgo }
const inferredRefusal: Partial<Row> = { state: 'rejected', isInferred: true, ...nearlyBelieved }
const isCreated: Change = { state: 'created', clientId: 'c' }
const isRefused: Change = { state: 'rejected', partnerCode: '1001', isInferred: false }

const changes: [name: string, row: Partial<Row>, outcome: Outcome, change: Change | undefined][] = [
  ['created with an id', {}, created('c'), isCreated],
  ['created without an id', {}, created(), { state: 'created' }],
  ['still created without an id', { state: 'created' }, created(), undefined],
  ['the id of a created one', { state: 'created' }, created('c'), isCreated],
  ['in work', { state: 'unknown' }, processing, { state: 'processing' }],
  ['still in work', { state: 'processing' }, processing, undefined],
  ['in work after success', { state: 'created' }, processing, undefined],
  ['refused', {}, rejected(), isRefused],
  ['refused without a code', {}, rejected({}), { ...isRefused, partnerCode: undefined }],
  ['refused after success', { state: 'created' }, rejected(), undefined],
  ['one doubtful error', {}, doubtful, undefined],
  ['doubtful errors that stood', nearlyBelieved, doubtful, { ...isRefused, isInferred: true }],
  ['no such request too early', { sinceLastSendMs: 50_000 }, noSuchRequest, undefined],
  ['no such request that stood', longAgo, noSuchRequest, { state: 'not-created', isInferred: true }],
  ['no such request after process', { state: 'processing', ...longAgo }, noSuchRequest, undefined],
  ['no such request after an acknowledgement', { isAcknowledged: true, ...longAgo }, noSuchRequest, undefined],
  ['an absence that was concluded already', inferredAbsence, noSuchRequest, undefined],
  ['an absence that is corrected', inferredAbsence, created('c'), isCreated],
  ['an absence that is in work after all', inferredAbsence, processing, { state: 'processing' }],
  ['an absence that is a refusal', inferredAbsence, rejected(), isRefused],
  ['a refusal that was concluded already', inferredRefusal, doubtful, undefined],
  ['a refusal that is confirmed', inferredRefusal, rejected(), isRefused],
  ['a refusal that is corrected', inferredRefusal, created('c'), isCreated],
  ['a refusal that was silence alone', { ...inferredRefusal, ...longAgo }, noSuchRequest, undefined],
  ['a duplicate', {}, duplicate, undefined],
  ['nothing', {}, unknown, undefined],
]

for (const [name, row, outcome, change] of changes) {
  t.test(`what an answer changes: ${name}`, async (t) => {
    const found = await findOut(row, outcome)
    t.strictSame(found.change, change)
    // A "no such request" that decides is heard twice: the first question may have overtaken the create.
    const isAskedTwice =
      outcome.kind === 'no-such-request' && (row.sinceLastSendMs ?? 0) >= 60_000 && !row.isAcknowledged
    t.strictSame(found.partner.calls, isAskedTwice && row.state !== 'processing' ? ['status', 'status'] : ['status'])
    t.equal(found.partner.given[0]?.requestId, 'a')
  })
}

t.test('the description of a refusal is not kept, as it may quote what it refuses', async (t) => {
  const { change } = await findOut({}, rejected({ code: '1', description: 'Navoiy is too young' }))
  t.strictSame(change, { state: 'rejected', partnerCode: '1', isInferred: false })
})

t.test('what is learnt besides is handed on', async (t) => {
  const rows: [Partial<Row>, Outcome, doubts: number, isAcknowledged: boolean, isAnswered: boolean][] = [
    [{}, doubtful, 1, false, true],
    [{ doubts: 1 }, doubtful, 2, false, true],
    [{ doubts: 1 }, noSuchRequest, 0, false, true],
    [{ doubts: 1 }, { ...noSuchRequest, result: 'http_4xx' }, 0, false, true],
    [{ doubts: 1 }, drift, 0, false, false],
    [{ doubts: 1 }, unknown, 1, false, false],
    // A question that is refused as a repetition must not use up one of the few questions about an inferred state.
    [{}, duplicate, 0, true, false],
    [{}, processing, 0, true, true],
    [{ isAcknowledged: true }, unknown, 0, true, false],
    [{}, notSent, 0, false, false],
    [{}, notAdmitted, 0, false, false],
    [{}, misconfigured, 0, false, false],
    [{}, unheardOf, 0, false, false],
  ]
  for (const [row, outcome, doubts, isAcknowledged, isAnswered] of rows) {
    const found = await findOut(row, outcome)
    t.strictSame(
      [found.doubts, found.isAcknowledged, found.isAnswered, found.throttledMs],
      [doubts, isAcknowledged, isAnswered, 0],
      outcome.kind,
    )
  }
})

t.test('how long the partner wants not to be asked is handed on', async (t) => {
  t.equal((await findOut({}, throttled('7'))).throttledMs, 7000)
  t.equal((await findOut({}, throttled('soon'))).throttledMs, 0)
  t.equal((await findOut({}, throttled())).throttledMs, 0)
})

t.test('when the same answer again would be a conclusion is handed on', async (t) => {
  const within = (actual: number, expected: number) => {
    t.ok(actual <= expected && actual > expected - 5000, `${actual} of ${expected}`)
  }
  within((await findOut({}, doubtful)).concludesInMs, 30_000)
  within((await findOut({ doubts: 1, doubtedForMs: 10_000 }, doubtful)).concludesInMs, 20_000)
  t.equal((await findOut({ doubts: 1, doubtedForMs: 40_000 }, doubtful)).concludesInMs, 0, 'two more may come at once')
  within((await findOut({ sinceLastSendMs: 20_000 }, noSuchRequest)).concludesInMs, 40_000)
  t.equal((await findOut({}, unknown)).concludesInMs, Infinity)
  t.equal((await findOut({}, processing)).concludesInMs, Infinity)
  t.equal((await findOut(longAgo, noSuchRequest)).concludesInMs, Infinity, 'it is one already')
  t.equal((await findOut(inferredRefusal, doubtful)).concludesInMs, Infinity)
})

t.test('a question has the time that it is given', async (t) => {
  const { partner, before } = await findOut({}, processing)
  const givenMs = (partner.given[0]?.deadlineAt ?? 0) - before
  t.ok(givenMs >= 1000 && givenMs < 2000, `${givenMs}`)
})

/** Answers each question with a word that nobody knows. `repeated`: how many questions were told that it is not the first. */
function driftingCardApi() {
  const seen = { repeated: 0 }
  const requestStatus: CardApi['requestStatus'] = async (_requestId, { drifts }) => {
    if (drifts === undefined) throw new Error('the drift would be told by itself')
    if (drifts.isTold || drifts.count > 0) seen.repeated++
    drifts.first ??= { drift: 'in_review' }
    drifts.count++
    return drift
  }
  return { ...scriptCardApi({}), requestStatus, seen }
}

t.test('the drift of a row is told once, whatever was asked before', async (t) => {
  const partner = driftingCardApi()
  const findOut = buildFindOut(partner, settings)
  const lines: unknown[] = []
  const ask = (requestId: string) =>
    findOut(rowWith({ requestId }), { warn: (fields) => lines.push(fields) }, new AbortController().signal)
  await ask('a')
  await ask('b')
  t.equal(partner.seen.repeated, 0)
  t.strictSame(lines, [
    { drift: 'in_review', drifts: 1 },
    { drift: 'in_review', drifts: 1 },
  ])
  await ask('a')
  await ask('b')
  t.equal(partner.seen.repeated, 2)
  t.equal(lines.length, 2)

  for (let i = 2; i < 10_000; i++) await ask(`${i}`)
  await ask('a')
  t.equal(lines.length, 10_000, 'as many creates are remembered')
  await ask('one too many')
  t.equal(lines.length, 10_001)
  await ask('b')
  t.equal(lines.length, 10_001, 'only the oldest is forgotten')
  await ask('a')
  t.equal(lines.length, 10_002)
})

t.test('a stopped question ends at once, and leaves no listener behind', async (t) => {
  const never = createGate()
  const partner = scriptCardApi({ status: [() => never.passed.then(() => processing)] })
  const stopping = new AbortController()
  const asking = buildFindOut(partner, settings)(rowWith(), log, stopping.signal)
  const failed = t.rejects(asking, { name: 'AbortError' })
  setImmediate(() => stopping.abort())
  await failed
  t.equal(partner.count('status'), 1)

  const { signal } = new AbortController()
  const listeners = new Set<unknown>()
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners.add(args[1])
    addEventListener.apply(signal, args)
  }
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners.delete(args[1])
    removeEventListener.apply(signal, args)
  }
  await buildFindOut(scriptCardApi({ status: [processing] }), settings)(rowWith(), log, signal)
  t.equal(listeners.size, 0)
})

t.test('after the stop no question begins', async (t) => {
  const never = createGate()
  const partner = scriptCardApi({ status: [() => never.passed.then(() => processing)] })
  await t.rejects(buildFindOut(partner, settings)(rowWith(), log, AbortSignal.abort()), { name: 'AbortError' })
  t.equal(partner.count('status'), 0)
})
