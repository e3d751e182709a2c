/** The rules as such; that every engine keeps them is the contract's. */
import t from 'tap'
import type { Change } from '../../src/ledger/ledger.ts'
import { attentionAfterMs, firstAskAfterMs, isForward, isOverdue, isOwnConclusion } from '../../src/ledger/rules.ts'
import { predecessors, type Recordable, type State } from '../../src/ledger/states.ts'
import { changeTo, everyState, recordable } from '../fixtures/ledger-rows.ts'

const row = { state: 'sent' as State, clientId: undefined as string | undefined, claimToken: 'own', isInferred: false }

t.test('a claim is over from its last moment', async (t) => {
  for (const [sinceLastSendMs, expected] of [
    [-1, false],
    [0, true],
    [1, true],
  ] as const)
    t.equal(isOverdue({ sinceLastSendMs }), expected, `${sinceLastSendMs} ms`)
})

t.test('a row needs an operator after a day', async (t) => {
  t.equal(attentionAfterMs, 86_400_000)
})

t.test('what this service concludes needs its own claim, and what FreedomPay says needs none', async (t) => {
  const changes: [change: Change, isOwn: boolean][] = [
    [{ state: 'unknown' }, true],
    [{ state: 'not-created' }, true],
    [{ state: 'not-created', isInferred: true }, true],
    [{ state: 'rejected', isInferred: true }, true],
    [{ state: 'rejected' }, false],
    [{ state: 'rejected', isInferred: false }, false],
    [{ state: 'processing' }, false],
    [{ state: 'created' }, false],
  ]
  for (const [change, isOwn] of changes) {
    const name = JSON.stringify(change)
    t.equal(isOwnConclusion(change), isOwn, name)
    t.equal(isForward(row, 'own', change), true, name)
    t.equal(isForward(row, 'other', change), !isOwn, name)
  }
})

t.test('which row is asked about after a change, and when', async (t) => {
  const pauses: [change: Change, pauseMs: number | undefined][] = [
    [{ state: 'unknown' }, 1000],
    [{ state: 'processing' }, 1000],
    [{ state: 'created' }, 1000],
    [{ state: 'created', clientId: 'c' }, undefined],
    [{ state: 'rejected' }, undefined],
    [{ state: 'not-created' }, undefined],
    [{ state: 'rejected', isInferred: true }, 60_000],
    [{ state: 'not-created', isInferred: true }, 60_000],
  ]
  for (const [change, pauseMs] of pauses) t.equal(firstAskAfterMs(change), pauseMs, JSON.stringify(change))
})

t.test('whether a row was inferred matters for rejections and creations alone', async (t) => {
  const states = everyState.filter((state) => state !== 'rejected' && state !== 'created')
  for (const state of states) {
    for (const to of recordable) {
      const isNext = (predecessors[to] as readonly State[]).includes(state)
      for (const isInferred of [false, true]) {
        t.equal(isForward({ ...row, state, isInferred }, 'own', changeTo(to)), isNext, `${state} to ${to}`)
      }
    }
  }
})

t.test('a rejection is corrected by another word only if it was inferred', async (t) => {
  for (const isInferred of [false, true]) {
    const rejected = { ...row, state: 'rejected' as const, isInferred }
    const corrects = (change: Change) => isForward(rejected, 'own', change)
    t.equal(corrects({ state: 'created' }), true, 'a creation overrules it always')
    t.equal(corrects({ state: 'processing' }), isInferred)
    t.equal(corrects({ state: 'rejected' }), isInferred)
    t.equal(corrects({ state: 'rejected', isInferred: true }), false)
    t.equal(corrects({ state: 'unknown' }), false)
    t.equal(corrects({ state: 'not-created' }), false)
  }
})

t.test('a creation takes its id, and no more', async (t) => {
  const allowed = (clientId: string | undefined, change: Change) =>
    isForward({ ...row, state: 'created', clientId }, 'other', change)
  t.equal(allowed(undefined, { state: 'created', clientId: 'c' }), true)
  t.equal(allowed('b', { state: 'created', clientId: 'c' }), false)
  t.equal(allowed(undefined, { state: 'created' }), false)
  const others: Recordable[] = ['processing', 'rejected']
  for (const state of others) {
    t.equal(allowed(undefined, { state, clientId: 'c' }), false, `an id that comes with ${state} is none`)
  }
})

t.test('a creation that a person has decided gives way to FreedomPay’s word', async (t) => {
  const allowed = (change: Change) =>
    isForward({ ...row, state: 'created', clientId: 'b', isInferred: true }, 'own', change)
  t.equal(allowed({ state: 'created', clientId: 'c' }), true)
  t.equal(allowed({ state: 'rejected' }), true)
  t.equal(allowed({ state: 'rejected', isInferred: true }), false)
  t.equal(allowed({ state: 'created' }), false)
  t.equal(allowed({ state: 'processing' }), false)
})
