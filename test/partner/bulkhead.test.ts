import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { type BulkheadLimits, createBulkhead, type Seat } from '../../src/partner/bulkhead.ts'

/** A bulkhead that one caller alone enters. */
function createFor(caller: string, limits: BulkheadLimits) {
  const { enter, ...rest } = createBulkhead(limits)
  return { enter: () => enter(caller), ...rest }
}

/** A seat that a test knows to be free. */
function seated(seat: Seat | undefined): Seat {
  if (seat === undefined) throw new Error('there is no seat')
  return seat
}

t.test('the bulkhead has as many places as it is given, and a place that is left is free again', async (t) => {
  const { enter } = createFor('a', { places: 2, waiting: 0 })
  const first = seated(enter())
  t.ok(enter())
  t.equal(enter(), undefined)
  first.leave()
  t.ok(enter())
  t.equal(enter(), undefined)
})

t.test('a seat that is left twice frees one place', async (t) => {
  const { enter } = createFor('a', { places: 2, waiting: 0 })
  const first = seated(enter())
  seated(enter())
  first.leave()
  first.leave()
  t.ok(enter())
  t.equal(enter(), undefined)
})

t.test('a seat that only waits gives up its place', async (t) => {
  const { enter, wait } = createFor('a', { places: 1, waiting: 2 })
  const first = seated(enter())
  t.equal(first.wait(), true)
  t.equal(first.wait(), true, 'saying so twice changes nothing')
  t.ok(enter(), 'the place is free')
  t.equal(enter(), undefined)
  t.ok(wait(), 'and one seat to wait is taken')
  t.equal(wait(), undefined)
  first.leave()
  t.ok(wait(), 'until it is left')
  t.equal(enter(), undefined, 'which frees no place')
})

t.test('where too many wait already a place is kept', async (t) => {
  const { enter, wait } = createFor('a', { places: 1, waiting: 1 })
  const waiting = seated(wait())
  t.equal(wait(), undefined)
  const first = seated(enter())
  t.equal(first.wait(), false)
  t.equal(enter(), undefined)
  waiting.leave()
  t.equal(first.wait(), true)
  t.ok(enter())
})

t.test('a seat that only waits stays one, and one that was left is none', async (t) => {
  const { enter, wait } = createFor('a', { places: 1, waiting: 1 })
  const waiting = seated(wait())
  t.equal(waiting.wait(), true)
  waiting.leave()
  t.equal(waiting.wait(), true)
  t.ok(wait(), 'it takes no seat again')
  const first = seated(enter())
  first.leave()
  first.wait()
  t.ok(enter())
})

t.test('the bulkhead is idle when no seat of either kind is held', async (t) => {
  const { enter, wait, idle } = createFor('a', { places: 2, waiting: 2 })
  await idle()
  for (const take of [enter, wait]) {
    let idles = 0
    const first = seated(take())
    const second = seated(enter())
    const emptied = [idle(), idle()].map((done) => done.then(() => idles++))
    first.leave()
    await nextTurn()
    t.equal(idles, 0)
    second.leave()
    await Promise.all(emptied)
    t.equal(idles, 2)
    await idle()
  }
})

t.test('a seat taken just after the bulkhead became idle is waited for, too', async (t) => {
  const { enter, idle } = createFor('a', { places: 1, waiting: 1 })
  const first = seated(enter())
  let isIdle = false
  const done = idle().then(() => {
    isIdle = true
  })
  first.leave()
  const second = seated(enter())
  await nextTurn()
  t.equal(isIdle, false)
  second.leave()
  await done
  t.equal(isIdle, true)
})

t.test('a caller that only waits, or has left, takes nothing of its share', async (t) => {
  const { enter } = createBulkhead({ places: 4, waiting: 1 })
  seated(enter('b')).leave()
  const first = seated(enter('a'))
  const second = seated(enter('a'))
  t.equal(enter('a'), undefined, 'more than half, while another is active')
  t.ok(enter('b'))
  first.wait()
  t.ok(enter('a'))
  t.equal(enter('a'), undefined)
  first.leave()
  t.equal(enter('a'), undefined, 'the waiting one had no place any more')
  second.leave()
  t.ok(enter('a'))
})
