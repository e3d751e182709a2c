import t from 'tap'
import { buildFindOut, duplicateMark } from '../../../src/clients/create/find-out.ts'
import type { Change, Row, State } from '../../../src/ledger/ledger.ts'
import type { Outcome } from '../../../src/partner/outcome.ts'
import { outcomes, scriptCardApi } from '../../fixtures/scripted-card-api.ts'
import { createGate } from '../../fixtures/stand-in-partner.ts'

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

function rowIn(state: State, partnerCode?: string): Row {
  return {
    requestId: 'a',
    caller: 'caller',
    fingerprint: 'print',
    state,
    clientId: undefined,
    partnerCode,
    partnerDescription: undefined,
    claims: 1,
    asks: 1,
    updatedAtMs: 0,
    isOverdue: true,
  }
}

async function findOut(row: Row, status: Outcome[], settleMs = 20) {
  const partner = scriptCardApi({ status })
  const { signal } = new AbortController()
  const change = await buildFindOut(partner, { settleMs, askMs: 1000 })(row, log, signal)
  return { change, asks: partner.count('status'), times: partner.times }
}

const anyUnresolved: Row[] = [rowIn('sent'), rowIn('unknown'), rowIn('processing'), rowIn('unknown', duplicateMark)]

t.test('what the partner says is taken as it is', async (t) => {
  const rows: [Outcome, Change | undefined][] = [
    [created('c'), { state: 'created', clientId: 'c' }],
    [created(), { state: 'created', clientId: undefined }],
    [processing, { state: 'processing' }],
    [rejected({ code: '1001' }), { state: 'rejected', partnerCode: '1001' }],
    [rejected({}), { state: 'rejected', partnerCode: undefined }],
    [duplicate, undefined],
    [notSent, undefined],
    [notAdmitted, undefined],
    [misconfigured, undefined],
    [throttled('1'), undefined],
    [unknown, undefined],
    [unheardOf, undefined],
  ]
  for (const row of anyUnresolved) {
    for (const [outcome, change] of rows) {
      t.strictSame(await findOut(row, [outcome]).then(({ change, asks }) => [change, asks]), [change, 1], outcome.kind)
    }
  }
})

t.test('the partner’s description of a refusal is not kept, as it may quote what it refuses', async (t) => {
  const { change } = await findOut(rowIn('sent'), [rejected({ code: '1', description: 'Navoiy is too young' })])
  t.notMatch(JSON.stringify(change), /Navoiy/)
})

t.test(
  'an error to the question refuses the create if it stands, or where the partner is known to have it',
  async (t) => {
    const doubtful = { ...rejected({ code: '2004' }), mayConcernQuestion: true }
    const refusal = { state: 'rejected', partnerCode: '2004' }
    for (const state of ['sent', 'unknown'] as const) {
      const { change, asks } = await findOut(rowIn(state), [doubtful])
      t.strictSame([change, asks], [refusal, 2], state)
      t.equal((await findOut(rowIn(state), [doubtful, noSuchRequest])).change, undefined, 'another doubtful word')
      t.match((await findOut(rowIn(state), [doubtful, processing])).change, { state: 'processing' })
    }
    t.strictSame((await findOut(rowIn('processing'), [doubtful])).change, refusal)
  },
)

t.test('"no such request" is believed when it still stands after the settling pause', async (t) => {
  for (const state of ['sent', 'unknown'] as const) {
    const { change, asks, times } = await findOut(rowIn(state), [noSuchRequest], 60)
    t.strictSame([change, asks], [{ state: 'not-created' }, 2])
    t.ok((times[1] ?? 0) - (times[0] ?? 0) >= 59)
  }
})

t.test('"no such request" that does not stand is not believed', async (t) => {
  for (const state of ['sent', 'unknown'] as const) {
    t.strictSame((await findOut(rowIn(state), [noSuchRequest, unknown])).change, undefined)
    t.strictSame((await findOut(rowIn(state), [noSuchRequest, processing])).change, { state: 'processing' })
    t.strictSame((await findOut(rowIn(state), [unknown, noSuchRequest])).change, undefined)
  }
})

t.test('"no such request" is never believed of a partner that has said that it has the request', async (t) => {
  for (const row of [rowIn('processing'), rowIn('created'), rowIn('unknown', duplicateMark)]) {
    t.strictSame(
      await findOut(row, [noSuchRequest]).then(({ change, asks }) => [change, asks]),
      [undefined, 1],
      `${row.state} ${row.partnerCode}`,
    )
  }
})

t.test('a question has the time that it is given', async (t) => {
  const partner = scriptCardApi({ status: [processing] })
  let deadlineAt = 0
  const requestStatus: typeof partner.requestStatus = (requestId, context) => {
    deadlineAt = context.deadlineAt
    return partner.requestStatus(requestId, context)
  }
  const before = performance.now()
  await buildFindOut({ ...partner, requestStatus }, { settleMs: 0, askMs: 1234 })(
    rowIn('sent'),
    log,
    new AbortController().signal,
  )
  t.ok(deadlineAt >= before + 1234 && deadlineAt <= performance.now() + 1234)
})

t.test('it stops at once, whether it waits for an answer or for the settling pause', async (t) => {
  const never = createGate()
  const silent = scriptCardApi({ status: [() => never.passed.then(() => processing)] })
  const settling = scriptCardApi({ status: [noSuchRequest] })
  for (const partner of [silent, settling]) {
    const stopping = new AbortController()
    const asking = buildFindOut(partner, { settleMs: 600_000, askMs: 600_000 })(rowIn('sent'), log, stopping.signal)
    const failed = t.rejects(asking, { name: 'AbortError' })
    setImmediate(() => stopping.abort())
    await failed
    t.equal(partner.count('status'), 1)
  }
})
