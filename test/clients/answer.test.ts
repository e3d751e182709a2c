import t from 'tap'
import {
  inProgress,
  lookAgainSeconds,
  noReason,
  notSentAgain,
  type Settlement,
  toAnswer,
  toClientRequest,
} from '../../src/clients/answer.ts'
import type { Row } from '../../src/ledger/ledger.ts'
import { Problem } from '../../src/problems/problem.ts'
import { rowWith } from '../fixtures/rows.ts'
import { outcomes } from '../fixtures/scripted-card-api.ts'

const { notSent, notAdmitted, misconfigured, throttled } = outcomes
const updatedAt = '1970-01-01T00:00:00.000Z'

/** What the problem says that an answer is; fails where it is none. */
function problemOf(settlement: Settlement) {
  try {
    toAnswer(settlement)
  } catch (err) {
    if (!(err instanceof Problem)) throw err
    const { code, headers, body } = err
    const { 'retry-after': retryAfter, ...others } = headers
    const seconds = retryAfter === undefined ? undefined : Number(retryAfter)
    const { safeToRetry, requestId, partner, detail } = body
    return { code, seconds, others, safeToRetry, requestId, partner, detail }
  }
  throw new Error('it is no problem')
}

const settle = (row: Partial<Row>, settlement: Partial<Settlement> = {}): Settlement => ({
  row: rowWith(row),
  how: 'new',
  ...settlement,
})

t.test('a client that may exist is represented', async (t) => {
  const base = { requestId: 'a', updatedAt }
  const rows: [Partial<Row>, object][] = [
    [
      { state: 'created', clientId: 'c' },
      { ...base, status: 'created', clientId: 'c' },
    ],
    [{ state: 'created' }, { ...base, status: 'created', clientId: undefined }],
    [{ state: 'processing' }, { ...base, status: 'processing' }],
    [{ state: 'unknown' }, { ...base, status: 'unknown' }],
    [{ state: 'sent' }, { ...base, status: 'unknown' }],
    // A caller that waited for a client is not told that there is none.
    [{ state: 'not-created' }, { ...base, status: 'unknown' }],
  ]
  for (const [row, representation] of rows) {
    for (const how of ['new', 'joined', 'replayed'] as const) {
      t.strictSame(toAnswer(settle(row, { how })), { idempotencyStatus: how, representation }, String(row.state))
    }
    t.equal(toAnswer(settle({ ...row, keyId: undefined })).idempotencyStatus, undefined)
  }
})

t.test('what is certain outweighs that this send was not taken', async (t) => {
  for (const state of ['created', 'processing'] as const) {
    t.equal(toAnswer(settle({ state }, { notTaken: notAdmitted })).representation.status, state)
  }
})

t.test('a refusal says why, with the description of the row unless there is a better one', async (t) => {
  const row: Partial<Row> = { state: 'rejected', partnerCode: '7', partnerDescription: 'kept' }
  t.match(problemOf(settle(row)), {
    code: 'partner-rejected',
    seconds: undefined,
    others: { 'idempotency-status': 'new' },
    safeToRetry: 'no',
    requestId: 'a',
    partner: { code: '7', description: 'kept' },
  })
  t.strictSame(problemOf(settle(row, { partnerDescription: 'told once' })).partner, {
    code: '7',
    description: 'told once',
  })
  t.strictSame(problemOf(settle({ ...row, keyId: undefined })).others, {})
})

t.test('a refusal without a reason of FreedomPay says so, to POST and to GET', async (t) => {
  const row: Partial<Row> = { state: 'rejected' }
  const partner = { code: undefined, description: noReason }
  const problem = problemOf(settle(row))
  t.strictSame(problem.partner, partner)
  t.match(problem.detail, /so the client does not exist\. This service knows no reason/)
  t.match(toClientRequest(rowWith(row)), { status: 'rejected', partner })
  t.strictSame(problemOf(settle(row, { partnerDescription: 'told once' })).partner?.description, 'told once')
  const withCode = toClientRequest(rowWith({ ...row, partnerCode: '7' }))
  t.match(withCode, { status: 'rejected', partner: { code: '7', description: undefined } })
})

t.test('why it was certainly not taken is told', async (t) => {
  const rows = [
    { notTaken: notSent, code: 'partner-unavailable', least: 2, detail: /^The request did not reach/ },
    { notTaken: notAdmitted, code: 'partner-unavailable', least: 2, detail: /several times in a row, so this request/ },
    {
      notTaken: throttled('60'),
      code: 'partner-unavailable',
      least: 60,
      detail: /limits the number of requests/,
    },
    { notTaken: throttled('soon'), code: 'partner-unavailable', least: 2, detail: /limits the number of requests/ },
    {
      notTaken: throttled('999999999'),
      code: 'partner-unavailable',
      least: 300,
      detail: /limits the number of requests/,
    },
    { notTaken: misconfigured, code: 'partner-misconfigured', least: undefined, detail: /refused the credential/ },
  ] as const
  for (const { notTaken, code, least, detail } of rows) {
    for (const state of ['unknown', 'not-created'] as const) {
      const problem = problemOf(settle({ state }, { notTaken, isFirstClaim: true }))
      t.match(problem, { code, safeToRetry: 'yes', requestId: 'a', detail })
      t.strictSame(problem.others, { 'idempotency-status': 'new' })
      if (least === undefined) t.equal(problem.seconds, undefined)
      else
        t.ok(
          (problem.seconds ?? 0) >= least && (problem.seconds ?? 0) <= Math.min(300, least * 1.5),
          `${problem.seconds} s`,
        )
    }
    const later = settle({ state: 'unknown' }, { notTaken, isFirstClaim: false })
    t.equal(problemOf(later).safeToRetry, 'same-key-only', 'an earlier claim may live')
    t.equal(problemOf(settle({ state: 'unknown' }, { notTaken })).safeToRetry, 'same-key-only')
    const keyless = problemOf(settle({ state: 'not-created', keyId: undefined }, { notTaken, isFirstClaim: false }))
    t.match(keyless, { safeToRetry: 'yes', others: {} })
  }
})

t.test('a create that sent nothing, and whose claim another replica holds, is told to come back later', async (t) => {
  t.match(problemOf(settle({ state: 'sent' }, { notTaken: notSent })), { code: 'request-in-progress', requestId: 'a' })
})

t.test('what is in progress, or must not be sent again, says when to come back and with which key', async (t) => {
  for (const [problem, code] of [
    [inProgress('a'), 'request-in-progress'],
    [notSentAgain('a'), 'partner-unavailable'],
  ] as const) {
    t.match(problem, { code, body: { requestId: 'a', safeToRetry: 'same-key-only' } })
    t.match(problem.headers['retry-after'], /^[23]$/)
  }
  t.match(notSentAgain('a').body.detail, /PARTNER_RESEND=false/)
})

t.test('a request that is read has the same words', async (t) => {
  const base = { requestId: 'a', updatedAt }
  t.strictSame(toClientRequest(rowWith()), { ...base, status: 'unknown' })
  for (const state of ['unknown', 'processing', 'not-created'] as const) {
    t.strictSame(toClientRequest(rowWith({ state })), { ...base, status: state })
  }
  t.strictSame(toClientRequest(rowWith({ state: 'created', clientId: 'c' })), {
    ...base,
    status: 'created',
    clientId: 'c',
  })
  t.strictSame(toClientRequest(rowWith({ state: 'rejected', partnerCode: '7', partnerDescription: 'no' })), {
    ...base,
    status: 'rejected',
    partner: { code: '7', description: 'no' },
  })
  t.equal(lookAgainSeconds, 5)
})
