/** Claims and changes of the same moment, which share a statement: each gets the answer that it would get alone. */
import { DatabaseError } from 'pg'
import t, { type Test } from 'tap'
import type { Claim } from '../../src/ledger/ledger.ts'
import { groupClaims } from '../../src/ledger/postgres-groups.ts'
import { isForward } from '../../src/ledger/rules.ts'
import { bringTo, changeTo, everyState, recordable, standing } from '../fixtures/ledger-rows.ts'
import { type LogLine, newClaim, newKeyedClaim, openTestLedger, untilReachable } from '../fixtures/ledgers.ts'
import { connectToPostgres, skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { until } from '../fixtures/until.ts'

const options = { buffered: true, skip: skipPostgres }
t.jobs = 4
t.setTimeout(120_000)

async function open(t: Test) {
  const { url } = await startPostgres(t)
  const logs: LogLine[] = []
  const ledger = await openTestLedger(t, url, undefined, logs)
  await untilReachable(ledger)
  return { url, ledger, logs, admin: await connectToPostgres(t, url) }
}

/** Another transaction claims the same key, and does not end. */
async function holdKey(t: Test, url: string, keyId: string | undefined) {
  const holder = await connectToPostgres(t, url)
  await holder.query('BEGIN')
  await holder.query(
    `INSERT INTO ledger_request (request_id, key_id, caller, fingerprint, state, claim_token, claims, updated_at, deadline_at)
     VALUES ('of another', $1, '', '', 'sent', '', 1, now(), now())`,
    [keyId],
  )
  return holder
}

const transactions = 'SELECT count(DISTINCT xmin::text)::integer AS count FROM ledger_request'
const waitingForLock = `SELECT pid FROM pg_stat_activity WHERE application_name = 'freedompay-clients' AND wait_event_type = 'Lock'`

t.test('the claims of one moment are one transaction, and so are the changes', options, async (t) => {
  const { ledger, admin } = await open(t)
  const claims = Array.from({ length: 20 }, () => newKeyedClaim({ caller: 'a "quoted", {braced} \\ \0 caller' }))
  const results = await Promise.all(claims.map((claim) => ledger.claim(claim)))
  t.strictSame(
    results.map(({ isClaimed, row }) => [isClaimed, row.requestId, row.keyId, row.claimToken]),
    claims.map(({ requestId, keyId, claimToken }) => [true, requestId, keyId, claimToken]),
  )
  t.strictSame((await admin.query(transactions)).rows, [{ count: 1 }])
  for (const { row } of results) t.strictSame(standing(await ledger.find(row.requestId)), standing(row))

  const changes = claims.map((_, i) => ({ state: 'created', clientId: `client "${i}"` }) as const)
  const recorded = await Promise.all(
    claims.map(({ requestId, claimToken }, i) =>
      ledger.record(requestId, claimToken, changes[i] ?? changeTo('unknown')),
    ),
  )
  t.match(
    recorded,
    claims.map(({ requestId }, i) => ({ row: { requestId, ...changes[i] }, was: 'sent' })),
  )
  t.strictSame((await admin.query(transactions)).rows, [{ count: 1 }])
  for (const [i, { requestId }] of claims.entries()) t.match(await ledger.find(requestId), { ...changes[i] })
})

t.test('of claims of one moment those fail to claim whose key or request_id is taken', options, async (t) => {
  const { ledger } = await open(t)
  const taken = newKeyedClaim()
  await ledger.claim(taken)
  const first = newKeyedClaim()
  const claims = [
    first,
    newKeyedClaim({ keyId: taken.keyId }),
    newClaim({ requestId: taken.requestId }),
    newKeyedClaim({ keyId: first.keyId }),
    { ...first, claimToken: 'another' },
    first,
  ]
  const results = await Promise.all(claims.map((claim) => ledger.claim(claim)))
  t.strictSame(
    results.map(({ isClaimed, row }) => [isClaimed, row.claimToken]),
    [true, false, false, false, false, false].map((isClaimed, i) => [
      isClaimed,
      i === 1 || i === 2 ? taken.claimToken : first.claimToken,
    ]),
  )
})

t.test('each change of one moment follows the rules for its own row', options, async (t) => {
  const { ledger } = await open(t)
  const cases = everyState.flatMap((state) =>
    recordable.flatMap((to) => [false, true].map((isOwn) => ({ claim: newKeyedClaim(), state, to, isOwn }))),
  )
  const rows = []
  for (const { claim, state } of cases) rows.push(await bringTo(ledger, claim, state))
  const missing = newClaim()
  const [results, ofMissing] = await Promise.all([
    Promise.all(
      cases.map(({ claim, to, isOwn }) =>
        ledger.record(claim.requestId, isOwn ? claim.claimToken : 'another', changeTo(to)),
      ),
    ),
    ledger.record(missing.requestId, missing.claimToken, changeTo('created')),
  ])
  t.equal(ofMissing, undefined)
  for (const [i, { state, to, isOwn, claim }] of cases.entries()) {
    const row = rows[i]
    if (row === undefined) throw new Error('no row')
    const isMoved = isForward(row, isOwn ? claim.claimToken : 'another', changeTo(to))
    const expected = isMoved ? { was: state, row: { state: to } } : { was: undefined, row: { state } }
    t.match(results[i], expected, `${state} to ${to}, ${isOwn ? 'own' : 'another'} token`)
    t.match(await ledger.find(claim.requestId), { state: isMoved ? to : state })
  }
})

t.test('a claim that PostgreSQL refuses fails alone', options, async (t) => {
  const { ledger } = await open(t)
  const claims = [newKeyedClaim(), newKeyedClaim({ deadlineMs: 1e300 }), newKeyedClaim()]
  t.match(await Promise.allSettled(claims.map((claim) => ledger.claim(claim))), [
    { value: { isClaimed: true } },
    { status: 'rejected', reason: { code: '22008' } },
    { value: { isClaimed: true } },
  ])
})

t.test('a change of a locked row does not hold up the others of its moment', options, async (t) => {
  const { ledger, admin } = await open(t)
  const claims = [newClaim(), newClaim(), newClaim()] as const
  for (const claim of claims) await ledger.claim(claim)
  await admin.query('BEGIN')
  await admin.query('SELECT 1 FROM ledger_request WHERE request_id = $1 FOR UPDATE', [claims[1].requestId])
  const [first, locked, third] = claims.map(({ requestId, claimToken }) =>
    ledger.record(requestId, claimToken, changeTo('created')),
  )
  t.match(await Promise.all([first, third]), [{ was: 'sent' }, { was: 'sent' }])
  const together = `${transactions} WHERE request_id <> $1`
  t.strictSame((await admin.query(together, [claims[1].requestId])).rows, [{ count: 1 }], 'neither was called again')
  await admin.query('ROLLBACK')
  t.match(await locked, { was: 'sent' })
})

t.test(
  'a claim whose key is locked has one limit for its group and for itself, and costs no connection',
  options,
  async (t) => {
    const { url, ledger, logs } = await open(t)
    const claims = [newKeyedClaim(), newKeyedClaim(), newKeyedClaim()]
    const holder = await holdKey(t, url, claims[1]?.keyId)
    t.match(await Promise.allSettled(claims.map((claim) => ledger.claim(claim))), [
      { value: { isClaimed: true } },
      // With a limit of its own for the second try, the server would have cancelled the statement.
      { status: 'rejected', reason: { message: 'no answer from the ledger within 2000 ms' } },
      { value: { isClaimed: true } },
    ])
    await holder.query('ROLLBACK')
    await ledger.probe()
    t.match(await ledger.claim(newKeyedClaim()), { isClaimed: true })
    t.notOk(logs.some(({ msg }) => msg === 'the ledger cannot be reached'))
  },
)

t.test('a group whose connection is lost fails as each of its claims would', options, async (t) => {
  const { url, ledger, admin } = await open(t)
  const claims = [newKeyedClaim(), newKeyedClaim(), newKeyedClaim()]
  const holder = await holdKey(t, url, claims[1]?.keyId)
  const results = Promise.allSettled(claims.map((claim) => ledger.claim(claim)))
  await until(async () => (await admin.query(waitingForLock)).rows.length, Boolean)
  await admin.query(`SELECT pg_terminate_backend(pid) FROM (${waitingForLock}) AS waiting`)
  const refused = { status: 'rejected', reason: { code: '57P01' } }
  t.match(await results, [refused, refused, refused])
  await holder.query('ROLLBACK')
  t.match(await Promise.all(claims.map((claim) => ledger.claim(claim))), [
    { isClaimed: true },
    { isClaimed: true },
    { isClaimed: true },
  ])
})

t.test('claims go in the order of their keys, and a deadlock is tried again alone', async (t) => {
  const sent: unknown[][] = []
  const deadlock = Object.assign(new DatabaseError('deadlock detected', 17, 'error'), { code: '40P01' })
  const alone: Claim[] = []
  const claim = groupClaims(
    async (_, values) => {
      sent.push(values)
      throw deadlock
    },
    async (one) => {
      alone.push(one)
      throw new Error('no row')
    },
  )
  const claims = Array.from({ length: 30 }, () => newKeyedClaim())
  const results = await Promise.allSettled(claims.map(claim))
  const sorted = claims.toSorted((a, b) => ((a.keyId ?? '') < (b.keyId ?? '') ? -1 : 1))
  t.equal(sent.length, 1)
  t.strictSame(sent[0]?.slice(0, 2), [sorted.map(({ requestId }) => requestId), sorted.map(({ keyId }) => keyId)])
  t.strictSame(alone, claims, 'each once')
  t.match(
    results,
    claims.map(() => ({ reason: { message: 'no row' } })),
  )
})
