import t from 'tap'
import { createRefusalPace, longestHoldMs } from '../../src/large-bodies/refusal-pace.ts'

const bytes = 3 * 1024 * 1024
const paceMs = 192

function start() {
  let now = 50_000
  const waiting: { dueAt: number; answer: () => void }[] = []
  const answeredAt: number[] = []
  const pace = createRefusalPace(
    () => now,
    (answer, holdMs) => waiting.push({ dueAt: now + holdMs, answer }),
  )
  return {
    answeredAt,
    refuse: (count = 1) => {
      for (let i = 0; i < count; i++) pace(bytes, () => answeredAt.push(now - 50_000))
    },
    wait: (ms: number) => {
      const until = now + ms
      for (const { dueAt, answer } of waiting.filter(({ dueAt }) => dueAt <= until)) {
        now = dueAt
        answer()
      }
      now = until
    },
  }
}

t.test('a refusal that is the first for a while leaves at once', async (t) => {
  const { answeredAt, refuse, wait } = start()
  refuse()
  wait(paceMs)
  refuse()
  t.strictSame(answeredAt, [0, paceMs])
})

t.test('refusals that come together leave one after the other, as their bodies are long', async (t) => {
  const { answeredAt, refuse, wait } = start()
  refuse(4)
  t.strictSame(answeredAt, [0])
  wait(paceMs * 4)
  t.strictSame(answeredAt, [0, paceMs, paceMs * 2, paceMs * 3])
})

t.test('no refusal is held longer than the limit, and those held leave no debt beyond it', async (t) => {
  const { answeredAt, refuse, wait } = start()
  refuse(1000)
  wait(longestHoldMs)
  t.equal(answeredAt.length, 1000)
  refuse()
  t.equal(answeredAt.at(-1), longestHoldMs)
})
