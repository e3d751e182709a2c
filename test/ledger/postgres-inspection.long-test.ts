/** A person's decision on PostgreSQL, while another process changes the same row. */
import t from 'tap'
import type { Decision } from '../../src/ledger/inspection.ts'
import type { Change } from '../../src/ledger/ledger.ts'
import { toChangeValues } from '../../src/ledger/postgres-groups.ts'
import { statements } from '../../src/ledger/postgres-statements.ts'
import { bringTo } from '../fixtures/ledger-rows.ts'
import { newKeyedClaim, openTestLedger, untilReachable } from '../fixtures/ledgers.ts'
import { connectToPostgres, skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { until } from '../fixtures/until.ts'

const options = { buffered: true, skip: skipPostgres }
t.setTimeout(120_000)

const waitingForLock = `SELECT pid FROM pg_stat_activity WHERE application_name = 'freedompay-clients' AND wait_event_type = 'Lock'`

/** Changes that leave the claim token and the state as they are. */
const finalWords: readonly { before: Change; word: Change; to: Decision['state'] }[] = [
  {
    to: 'not-created',
    before: { state: 'rejected', isInferred: true, partnerCode: '7' },
    word: { state: 'rejected', partnerCode: '1001', partnerDescription: 'no' },
  },
  { to: 'created', before: { state: 'created' }, word: { state: 'created', clientId: 'client-1' } },
]

t.test('a decision does not overrule a final word that is being recorded', options, async (t) => {
  const { url } = await startPostgres(t)
  const ledger = await openTestLedger(t, url)
  await untilReachable(ledger)
  const admin = await connectToPostgres(t, url)
  const recorder = await connectToPostgres(t, url)
  for (const { before, word, to } of finalWords) {
    const { requestId, claimToken } = await bringTo(ledger, newKeyedClaim({ deadlineMs: 0 }), 'unknown')
    await ledger.record(requestId, claimToken, before)
    await recorder.query('BEGIN')
    await recorder.query(statements.record.text, toChangeValues({ requestId, claimToken, change: word }))
    const clientId = to === 'created' ? 'client-2' : undefined
    const resolving = ledger.resolve(requestId, { state: to, clientId, by: 'ann', why: 'found in the export' })
    await until(async () => (await admin.query(waitingForLock)).rows.length, Boolean)
    await recorder.query('COMMIT')
    t.match(await resolving, { row: word, was: undefined }, word.state)
    t.match(await ledger.inspect(requestId), { ...word, isInferred: false, resolution: undefined })
  }
})
