import t from 'tap'
import { OpenRows } from '../../src/ledger/open-rows.ts'
import { attentionAfterMs } from '../../src/ledger/rules.ts'

function openRows() {
  const times = new Map<string, number>()
  const rows = new OpenRows((id, lastSendAt) => times.get(id) === lastSendAt)
  return {
    count: (now: number) => rows.count(now),
    add(id: string, lastSendAt: number) {
      times.set(id, lastSendAt)
      rows.add(id, lastSendAt)
    },
    delete(id: string) {
      times.delete(id)
      rows.delete(id)
    },
  }
}

const none = { unresolved: 0, needsAttention: 0, oldestUnresolvedSeconds: 0 }

t.test('a row is unresolved from the end of its claim, and needs attention a day later', async (t) => {
  const rows = openRows()
  t.strictSame(rows.count(0), none)
  rows.add('a', 1000)
  t.strictSame(rows.count(999), none)
  t.strictSame(rows.count(1000), { ...none, unresolved: 1 })
  t.strictSame(rows.count(3000), { ...none, unresolved: 1, oldestUnresolvedSeconds: 2 })
  const dayLater = 1000 + attentionAfterMs
  t.match(rows.count(dayLater - 1), { unresolved: 1, needsAttention: 0 })
  for (const now of [dayLater, dayLater + 5000]) {
    const oldestUnresolvedSeconds = (now - 1000) / 1000
    t.strictSame(rows.count(now), { unresolved: 1, needsAttention: 1, oldestUnresolvedSeconds })
  }
})

t.test('the age is that of the oldest, in whichever group it is', async (t) => {
  const rows = openRows()
  rows.add('young', attentionAfterMs)
  t.match(rows.count(attentionAfterMs + 1000), { oldestUnresolvedSeconds: 1 })
  rows.add('old', 0)
  rows.add('older', -7000)
  const now = attentionAfterMs + 1000
  t.strictSame(rows.count(now), { unresolved: 3, needsAttention: 2, oldestUnresolvedSeconds: (now + 7000) / 1000 })
  rows.delete('older')
  t.strictSame(rows.count(now), { unresolved: 2, needsAttention: 1, oldestUnresolvedSeconds: now / 1000 })
  rows.delete('old')
  t.strictSame(rows.count(now), { unresolved: 1, needsAttention: 0, oldestUnresolvedSeconds: 1 })
  rows.delete('young')
  t.strictSame(rows.count(now), none)
})

t.test('a row that is sent again leaves its groups until its new claim ends', async (t) => {
  const rows = openRows()
  rows.add('a', 0)
  const now = attentionAfterMs + 1000
  t.match(rows.count(now), { unresolved: 1, needsAttention: 1 })
  rows.add('a', now + 1000)
  t.strictSame(rows.count(now), none)
  t.strictSame(rows.count(now + 3000), { ...none, unresolved: 1, oldestUnresolvedSeconds: 2 })
  t.match(rows.count(now + 1000 + attentionAfterMs), { unresolved: 1, needsAttention: 1 })
})

t.test('a row that ends before its claim does is never counted', async (t) => {
  const rows = openRows()
  rows.add('a', 1000)
  rows.delete('a')
  t.strictSame(rows.count(5000), none)
})
