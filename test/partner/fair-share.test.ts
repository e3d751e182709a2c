import t from 'tap'
import { activeMs, createActivity, createFairShare, type FairShare } from '../../src/partner/fair-share.ts'

/** How many places a caller gets when it asks for one after the other. */
function fill(share: FairShare, caller: string, nowMs: number, most = 1000): number {
  let count = 0
  while (count < most && share.enter(caller, nowMs)) count++
  return count
}

t.test('a caller that is alone may have every place', async (t) => {
  const share = createFairShare(64)
  t.equal(fill(share, 'a', 0), 64)
})

t.test('while another was active a moment ago, a caller gets half, and then all again', async (t) => {
  const share = createFairShare(64)
  const start = 1_000_000
  t.ok(share.enter('b', start))
  share.leave('b')
  t.equal(fill(share, 'a', start + activeMs - 1), 32)
  t.equal(fill(share, 'a', start + activeMs), 32, 'the other half')
})

t.test('two callers share the places, whoever comes first', async (t) => {
  const share = createFairShare(64)
  t.equal(fill(share, 'a', 0, 1), 1)
  t.equal(fill(share, 'b', 1), 32)
  t.equal(fill(share, 'a', 2), 31)
})

t.test('a caller that holds everything leaves room as its creates end, and gets no more than half back', async (t) => {
  const share = createFairShare(64)
  t.equal(fill(share, 'a', 0), 64)
  t.notOk(share.enter('b', 1), 'there is no place at all yet, but b is known to want one')
  for (let i = 0; i < 32; i++) {
    share.leave('a')
    t.notOk(share.enter('a', 2) && i < 31, 'a has more than half')
  }
  t.equal(fill(share, 'b', 3), 32)
})

t.test('a caller whose creates are under way is active, however long ago it asked', async (t) => {
  const share = createFairShare(10)
  t.ok(share.enter('b', 0))
  t.equal(fill(share, 'a', activeMs * 10), 5)
  share.leave('b')
  t.equal(fill(share, 'a', activeMs * 10), 5)
})

t.test('a refused caller counts as active, and others alone do not shut a third out', async (t) => {
  const share = createFairShare(4)
  t.equal(fill(share, 'a', 0, 2), 2)
  t.equal(fill(share, 'b', 0, 2), 2)
  t.notOk(share.enter('c', 0))
  share.leave('a')
  t.notOk(share.enter('b', 1))
  t.ok(share.enter('c', 2))
})

t.test('with one place only, it goes to whoever asks', async (t) => {
  const share = createFairShare(1)
  t.ok(share.enter('a', 0))
  t.notOk(share.enter('b', 0))
  share.leave('a')
  t.ok(share.enter('b', 0))
})

t.test('places never get more or less, whatever is given back', async (t) => {
  const share = createFairShare(4)
  share.leave('a')
  t.equal(fill(share, 'a', 0), 4)
  for (let i = 0; i < 9; i++) share.leave('a')
  t.equal(fill(share, 'a', 0), 4)
})

t.test('a caller is alone until another was active, and again some time later', async (t) => {
  const { note, isAlone } = createActivity()
  t.ok(isAlone('a', 0))
  note('a', 0)
  t.ok(isAlone('a', 0))
  t.notOk(isAlone('b', 0), 'also one that was never active itself')
  note('b', 5)
  note('b', 6)
  t.notOk(isAlone('a', 6 + activeMs - 1))
  t.ok(isAlone('a', 6 + activeMs))
  note('a', 7)
  t.notOk(isAlone('b', 7 + activeMs - 1))
  t.ok(isAlone('b', 7 + activeMs))
  note('a', 8)
  t.notOk(isAlone('a', 6 + activeMs - 1), 'b was active')
  t.ok(isAlone('a', 6 + activeMs))
})
