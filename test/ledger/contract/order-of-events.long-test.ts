/** Whatever happens to a row in whatever order: the engine does what the rule says, and holds what it promised. */
import fc from 'fast-check'
import t from 'tap'
import type { Change, Claim, Ledger, Row } from '../../../src/ledger/ledger.ts'
import { openMemoryLedger } from '../../../src/ledger/memory.ts'
import { predecessors, type State } from '../../../src/ledger/states.ts'
import { postponement, recordable, renewal, standing } from '../../fixtures/ledger-rows.ts'
import { forEachEngine, newKeyedClaim } from '../../fixtures/ledgers.ts'
import { checkAsyncProperty } from '../../fixtures/property.ts'

type Event =
  | { kind: 'claim'; fingerprint: string }
  | { kind: 'renew'; isOwn: boolean; mayHaveArrived: boolean; token: string }
  | { kind: 'record'; isOwn: boolean; change: Change }
  | { kind: 'postpone'; isOwn: boolean; pauseMs: number | undefined; doubts: number; isAcknowledged: boolean }
  | { kind: 'take' }

const isOwn = fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) })
const change: fc.Arbitrary<Change> = fc
  .record({
    state: fc.constantFrom(...recordable),
    clientId: fc.constantFrom(undefined, 'x', 'y'),
    partnerCode: fc.constantFrom(undefined, '1'),
    isInferred: fc.boolean(),
    isAcknowledged: fc.boolean(),
  })
  // That a client exists is FreedomPay's word, or a person's, but no conclusion that the service records.
  .map((any) => (any.state === 'created' ? { ...any, isInferred: false } : { ...any, clientId: undefined }))
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('claim' as const), fingerprint: fc.constantFrom('a', 'b') }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('renew' as const),
      isOwn,
      mayHaveArrived: fc.boolean(),
      token: fc.uuid(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('record' as const), isOwn, change }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('postpone' as const),
      isOwn,
      pauseMs: fc.constantFrom(undefined, 0, 60_000),
      doubts: fc.nat(3),
      isAcknowledged: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'take' as const }) },
)

forEachEngine(t, async (t, { open }, propertyRuns) => {
  await t.test('any order of events only moves a row forward', async (t) => {
    const ledger = await open(t)
    await checkAsyncProperty(
      t,
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 24 }), async (events) => {
        const claim = newKeyedClaim()
        const model = openMemoryLedger({ retentionMs: 3_600_000 })
        for (const event of events) await play(ledger, model, claim, event)
      }),
      propertyRuns,
    )
  })
})

/** Does it to both, and throws where a row is not where the other is, or has gone back. */
async function play(ledger: Ledger, model: Ledger, claim: Claim, event: Event): Promise<void> {
  const before = await ledger.find(claim.requestId)
  const told = [await happen(ledger, claim, before, event), await happen(model, claim, before, event)]
  const after = await ledger.find(claim.requestId)
  const expected = await model.find(claim.requestId)
  const isAsModelled = isSame(after, expected) && told[0] === told[1]
  if (!isAsModelled || !isPromised(before, after, event)) {
    const shown = [before, event, after, expected, told].map((value) => JSON.stringify(value)).join('\n')
    throw new Error(`before, event, after, model, told:\n${shown}`)
  }
}

/** What the caller is told of the step. */
async function happen(ledger: Ledger, claim: Claim, row: Row | undefined, event: Event): Promise<unknown> {
  const { requestId } = claim
  const token = row?.claimToken ?? claim.claimToken
  switch (event.kind) {
    case 'claim':
      return (await ledger.claim({ ...claim, fingerprint: event.fingerprint })).isClaimed
    case 'renew': {
      const { isOwn, token: to, mayHaveArrived } = event
      const renewed = await ledger.renew(
        renewal({ requestId, claimToken: isOwn ? token : 'x' }, { to, mayHaveArrived }),
      )
      return renewed?.claimToken
    }
    case 'record':
      return (await ledger.record(requestId, event.isOwn ? token : 'x', event.change))?.was
    case 'postpone': {
      const { isOwn, kind: _, ...what } = event
      return ledger.postpone(postponement({ requestId, claimToken: isOwn ? token : 'x' }, what))
    }
    case 'take':
      await ledger.takeDue(60_000, 1000)
  }
  return undefined
}

/** Without its times, which two engines never share, and without its questions, which depend on them. */
function isSame(a: Row | undefined, b: Row | undefined): boolean {
  const withoutTimes = (row: Row | undefined) => JSON.stringify({ ...standing(row), updatedAtMs: 0, asks: 0 })
  return withoutTimes(a) === withoutTimes(b)
}

/** What holds whatever the rule is. */
function isPromised(before: Row | undefined, after: Row | undefined, event: Event): boolean {
  if (before === undefined) return after === undefined || event.kind === 'claim'
  if (after === undefined || after.fingerprint !== before.fingerprint || after.keyId !== before.keyId) return false
  if (before.mayHaveArrived && !after.mayHaveArrived) return false
  if (before.isAcknowledged && !after.isAcknowledged) return false
  if (after.claims !== before.claims) return event.kind === 'renew' && event.isOwn && after.claims === before.claims + 1
  if (after.claimToken !== before.claimToken) return false
  if (after.state === before.state) return before.clientId === undefined || after.clientId === before.clientId
  if (event.kind !== 'record' || after.state === 'sent') return false
  const isForward = (predecessors[after.state] as readonly State[]).includes(before.state)
  return isForward || (before.state === 'rejected' && before.isInferred && after.state === 'processing')
}
