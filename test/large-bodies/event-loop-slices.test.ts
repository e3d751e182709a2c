import t, { type Test } from 'tap'
import { createTurnstile } from '../../src/large-bodies/event-loop-slices.ts'

/** Counts the turns of the event loop until it is stopped. */
function countTurns(onTurn = () => {}) {
  let turns = 0
  let isCounting = true
  const count = () => {
    turns++
    onTurn()
    if (isCounting) setImmediate(count)
  }
  setImmediate(count)
  return {
    turns: () => turns,
    stop: () => {
      isCounting = false
    },
  }
}

/** Counts turns that each take so long, on a clock that only they move: a busy machine makes none longer. */
function countBusyTurns(t: Test, busyMs: number) {
  let nowMs = 1000
  t.intercept(performance, 'now', { value: () => nowMs })
  return countTurns(() => {
    nowMs += busyMs
  })
}

t.test('one waiter is let through in a turn of the event loop, in the order of their coming', async (t) => {
  const turn = createTurnstile()
  const turnsOfTheLoop: number[] = []
  const loop = countTurns()
  const order: number[] = []
  await Promise.all(
    Array.from({ length: 5 }, async (_, i) => {
      await turn()
      order.push(i)
      turnsOfTheLoop.push(loop.turns())
    }),
  )
  loop.stop()
  t.strictSame(order, [0, 1, 2, 3, 4])
  t.equal(new Set(turnsOfTheLoop).size, 5, 'no two in one turn')
})

t.test('it is free again after everybody has gone through', async (t) => {
  const turn = createTurnstile()
  await turn()
  await turn()
  await t.resolves(turn())
})

t.test('as long as others use the turns between, many go by before the next slice', async (t) => {
  const turn = createTurnstile()
  const loop = countBusyTurns(t, 0.5)
  const turnsOfTheLoop: number[] = []
  for (let i = 0; i < 3; i++) {
    await turn()
    turnsOfTheLoop.push(loop.turns())
  }
  loop.stop()
  const [first = 0, second = 0, third = 0] = turnsOfTheLoop
  t.ok(second - first >= 5, 'between the first and the second')
  t.ok(third - second >= 5, 'between the second and the third')
})

t.test('however long those turns are, the next slice comes soon', async (t) => {
  const turn = createTurnstile()
  const loop = countBusyTurns(t, 15)
  await turn()
  const first = loop.turns()
  await turn()
  loop.stop()
  t.ok(loop.turns() - first <= 4, 'after two or three turns of 15 ms, not after 32')
})
