/** The story of one create where several tell it at once: replicas, holders of earlier claims, a ledger that fails. */
import t, { type Test } from 'tap'
import type { CreateResult } from '../../../src/clients/answer.ts'
import type { CreateClient } from '../../../src/clients/body/schema.ts'
import { buildCreateClient } from '../../../src/clients/create/create-client.ts'
import { buildPursuit } from '../../../src/clients/create/deliver.ts'
import { duplicateMark } from '../../../src/clients/create/find-out.ts'
import type { Change, Ledger } from '../../../src/ledger/ledger.ts'
import { createBulkhead } from '../../../src/partner/resilience.ts'
import type { Problem } from '../../../src/problems/problem.ts'
import { newClaim, openTestLedger } from '../../fixtures/ledgers.ts'
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
  unknown,
} = outcomes

// They mostly wait, so they may do it together.
t.jobs = 20

interface Script {
  add?: Answer[]
  status?: Answer[]
  deadlineMs?: number
  body?: Partial<CreateClient>
  /** Changes what the service sees of the ledger. */
  disturb?: (ledger: Ledger) => Partial<Ledger>
}

/** One key and body, at a service with a scripted partner and a ledger of its own. */
async function start(t: Test, { add = [], status = [], deadlineMs = 10_000, body, disturb }: Script) {
  const ledger = await openTestLedger(t, 'memory:')
  const partner = scriptCardApi({ add, status })
  const errors: string[] = []
  const createClient = buildCreateClient({
    ledger: { ...ledger, ...disturb?.(ledger) },
    pursuit: buildPursuit({ cardApi: partner, settings: { waitMs: 300, settleMs: 20 }, countRetry: () => undefined }),
    bulkhead: createBulkhead(10),
    settings: { defaults: { productId: 1000, branchId: undefined }, deadlineMs },
  })
  const claim = newClaim({ deadlineMs: 1 })
  const command = {
    ...claim,
    body: { phone: '+998901234567', ...body },
    waitMs: undefined,
    log: { warn: () => undefined, error: (_fields: unknown, message: string) => void errors.push(message) },
  }
  const run = (fingerprint = claim.fingerprint) =>
    createClient({ ...command, fingerprint }).then(say, (problem: Problem) => sayProblem(problem))
  /** What another replica has written down before. */
  async function write(...changes: Change[]) {
    await ledger.claim(claim)
    for (const change of changes) await ledger.record(claim.requestId, 1, change)
  }
  return { ledger, partner, run, write, claim, requestId: claim.requestId, errors }
}

function say({ representation: { status, clientId }, idempotencyStatus }: CreateResult) {
  return { status, clientId, idempotencyStatus }
}

function sayProblem({ code, headers, body }: Problem) {
  return { code, ...headers, detail: body.detail, partner: body.partner }
}

t.test('why it was certainly not taken is told', { buffered: true }, async (t) => {
  const rows = [
    { add: notSent, says: { code: 'partner-unavailable', 'retry-after': '2', detail: /did not reach/ } },
    { add: notAdmitted, says: { code: 'partner-unavailable', 'retry-after': '2', detail: /several times in a row/ } },
    { add: throttled('60'), says: { code: 'partner-unavailable', 'retry-after': '60', detail: /no more requests/ } },
    { add: throttled('soon'), says: { code: 'partner-unavailable', 'retry-after': '2' }, deadlineMs: 900 },
    { add: misconfigured, says: { code: 'partner-misconfigured', 'retry-after': undefined } },
  ]
  for (const { add, says, deadlineMs } of rows) {
    const { run, ledger, requestId } = await start(t, { add: [add], ...(deadlineMs && { deadlineMs }) })
    t.match(await run(), { 'idempotency-status': 'new', ...says }, add.kind)
    t.match(await ledger.find(requestId), { state: 'not-created' })
    t.match(await run('other'), { code: 'idempotency-key-reused' }, 'even so the key is bound to its body')
  }
})

t.test('what the partner quotes of the body is neither kept nor told', { buffered: true }, async (t) => {
  const { run, ledger, requestId } = await start(t, {
    add: [rejected({ code: '7', description: 'Navoiy is on a list' })],
    body: { lastName: 'Navoiy' },
  })
  const partner = { code: '7', description: '*** is on a list' }
  t.match(await run(), { code: 'partner-rejected', partner })
  t.match(await ledger.find(requestId), { partnerCode: '7', partnerDescription: partner.description })
  t.match(await run(), { code: 'partner-rejected', partner, 'idempotency-status': 'replayed' })
})

t.test('a claim that cannot be made sends nothing', { buffered: true }, async (t) => {
  const { run, partner } = await start(t, { disturb: () => ({ claim: () => Promise.reject(new Error('gone')) }) })
  t.match(await run(), { code: 'ledger-unavailable', 'retry-after': '2' })
  t.strictSame(partner.calls, [])
})

t.test('what cannot be written down is told all the same', { buffered: true }, async (t) => {
  const rows = [
    { add: created(), status: created('c'), says: { status: 'created', clientId: 'c' } },
    { add: rejected(), status: unknown, says: { code: 'partner-rejected', partner: { code: '1001' } } },
    { add: processing, status: processing, says: { status: 'processing' } },
    { add: unknown, status: unknown, says: { status: 'unknown' } },
    { add: notAdmitted, status: unknown, says: { code: 'partner-unavailable' } },
  ]
  for (const { add, status, says } of rows) {
    const { run, errors, ledger, requestId } = await start(t, {
      add: [add],
      status: [status],
      deadlineMs: 300,
      disturb: () => ({ record: () => Promise.reject(new Error('gone')) }),
    })
    t.match(await run(), says)
    t.strictSame(errors, ['the outcome could not be written to the ledger'])
    t.match(await ledger.find(requestId), { state: 'sent' }, 'to be found out')
  }
})

t.test('a row that is not there any more takes nothing from the answer', { buffered: true }, async (t) => {
  const { run } = await start(t, {
    add: [created()],
    status: [created('c')],
    disturb: () => ({ record: async () => undefined }),
  })
  t.match(await run(), { status: 'created', clientId: 'c' })
})

t.test('a duplicate that the partner then does not know is never sent again', { buffered: true }, async (t) => {
  const { run, partner, ledger, requestId } = await start(t, { add: [duplicate], status: [noSuchRequest] })
  t.match(await run(), { status: 'unknown', idempotencyStatus: 'new' })
  t.match(await ledger.find(requestId), { state: 'unknown', partnerCode: duplicateMark })
  t.match(await run(), { status: 'unknown', idempotencyStatus: 'replayed' })
  t.match(await ledger.find(requestId), { state: 'unknown', partnerCode: duplicateMark, claims: 1 })
  t.equal(partner.count('add'), 1)
})

t.test('what was found out before it was asked for is not asked about again', { buffered: true }, async (t) => {
  const { run, write, partner } = await start(t, {})
  await write({ state: 'created', clientId: 'c' })
  t.match(await run(), { status: 'created', clientId: 'c', idempotencyStatus: 'replayed' })
  t.strictSame(partner.calls, [])
})

t.test('an unknown create that never arrived is claimed anew and sent', { buffered: true }, async (t) => {
  const { run, write, partner, ledger, requestId } = await start(t, {
    add: [created()],
    status: [({ count }) => (count('add') > 0 ? created('c') : noSuchRequest)],
  })
  await write({ state: 'unknown' })
  t.match(await run(), { status: 'created', clientId: 'c', idempotencyStatus: 'new' })
  t.match(await ledger.find(requestId), { state: 'created', claims: 2 })
  t.equal(partner.count('add'), 1)
})

t.test('of two who find that a create never arrived one sends it', { buffered: true }, async (t) => {
  const { run, write, partner } = await start(t, {
    status: [noSuchRequest],
    // Another replica was quicker.
    disturb: (ledger) => ({
      async record(requestId, claims, change) {
        const row = await ledger.record(requestId, claims, change)
        await ledger.claim({ ...newClaim(), requestId })
        return row
      },
    }),
  })
  await write({ state: 'unknown' })
  t.match(await run(), { code: 'request-in-progress', 'retry-after': '2' })
  t.equal(partner.count('add'), 0)
})

t.test('a create that somebody else finished in the meantime is replayed', { buffered: true }, async (t) => {
  for (const [change, says] of [
    [
      { state: 'created', clientId: 'c' },
      { status: 'created', clientId: 'c' },
    ],
    [
      { state: 'rejected', partnerCode: '7' },
      { code: 'partner-rejected', partner: { code: '7' } },
    ],
  ] satisfies [Change, object][]) {
    const { run, write, partner } = await start(t, {
      status: [noSuchRequest],
      disturb: (ledger) => ({ record: (requestId, claims) => ledger.record(requestId, claims, change) }),
    })
    await write({ state: 'unknown' })
    t.match(await run(), says)
    t.equal(partner.count('add'), 0)
  }
})

t.test('a conclusion that cannot be written down frees nothing', { buffered: true }, async (t) => {
  const { run, write, partner } = await start(t, {
    status: [noSuchRequest],
    disturb: () => ({ record: () => Promise.reject(new Error('gone')) }),
  })
  await write({ state: 'unknown' })
  t.match(await run(), { code: 'request-in-progress' })
  t.equal(partner.count('add'), 0)
})

/** While a create is being sent, its claim ends: somebody else finds nothing at the partner and claims it anew. */
function loseClaim(
  add: Answer,
  then: (ledger: Ledger, requestId: string) => Promise<unknown> = async () => undefined,
): Script {
  let own: Ledger
  let claimed = ''
  return {
    add: [
      async (partner) => {
        await own.record(claimed, 1, { state: 'not-created' })
        await then(own, claimed)
        return typeof add === 'function' ? add(partner) : add
      },
    ],
    status: [unknown],
    deadlineMs: 300,
    disturb(ledger) {
      own = ledger
      return {
        claim(claim) {
          claimed = claim.requestId
          return ledger.claim(claim)
        },
      }
    },
  }
}

const claimAnew = (ledger: Ledger, requestId: string) => ledger.claim({ ...newClaim(), requestId })

t.test(
  'who has lost its claim and did not send anything leaves it to the new holder',
  { buffered: true },
  async (t) => {
    const { run, ledger, requestId } = await start(t, loseClaim(notAdmitted, claimAnew))
    t.match(await run(), { code: 'request-in-progress' })
    t.match(await ledger.find(requestId), { state: 'sent', claims: 2 })
  },
)

t.test('who has lost its claim and knows nothing says that it is unknown', { buffered: true }, async (t) => {
  const { run, ledger, requestId } = await start(t, loseClaim(unknown, claimAnew))
  t.match(await run(), { status: 'unknown' })
  t.match(await ledger.find(requestId), { state: 'sent', claims: 2 }, 'the new holder’s row stands')
})

t.test(
  'the partner’s word counts, however late it comes, against a conclusion from its silence',
  { buffered: true },
  async (t) => {
    const rows = [
      { add: processing, says: { status: 'processing' }, state: 'processing' },
      { add: rejected({ code: '7' }), says: { code: 'partner-rejected', partner: { code: '7' } }, state: 'rejected' },
      { add: created(), says: { status: 'created' }, state: 'created' },
    ] as const
    for (const { add, says, state } of rows) {
      for (const then of [undefined, claimAnew]) {
        const { run, ledger, requestId } = await start(t, loseClaim(add, then))
        t.match(await run(), says, `${state} after ${then === undefined ? 'not-created' : 'a new claim'}`)
        t.match(await ledger.find(requestId), { state })
      }
    }
  },
)

t.test('a client that exists outweighs an earlier refusal', { buffered: true }, async (t) => {
  const refuse = (ledger: Ledger, requestId: string) => ledger.record(requestId, 1, { state: 'rejected' })
  const { run } = await start(t, loseClaim(created(), refuse))
  t.match(await run(), { status: 'created' })
})
