import t from 'tap'
import { DueQueue } from '../../src/ledger/due-queue.ts'

t.test('a queue gives the earliest first, and nothing that was moved', async (t) => {
  const current = new Map<string, number>()
  const queue = new DueQueue((id, at) => current.get(id) === at)
  const put = (id: string, at: number) => {
    current.set(id, at)
    queue.add(id, at)
  }
  for (let i = 0; i < 1000; i++) put(`id-${i}`, (i * 7919) % 1000)
  for (let i = 0; i < 1000; i += 2) put(`id-${i}`, 2000 - i)
  current.delete('id-1')
  const taken: number[] = []
  for (let entry = queue.take(2000); entry !== undefined; entry = queue.take(2000)) taken.push(entry.at)
  t.equal(taken.length, 999)
  t.strictSame(
    taken,
    [...current.values()].toSorted((a, b) => a - b),
  )
  t.equal(queue.peek(), undefined)
})

t.test('an entry is taken as soon as its time has come', async (t) => {
  const queue = new DueQueue(() => true)
  queue.add('b', 20)
  queue.add('a', 10)
  t.equal(queue.take(9), undefined)
  t.strictSame(queue.peek(), { at: 10, id: 'a' })
  t.strictSame(queue.take(10), { at: 10, id: 'a' })
  t.equal(queue.take(10), undefined, 'once')
  t.strictSame(queue.peek(), { at: 20, id: 'b' })
  t.strictSame(queue.take(20), { at: 20, id: 'b' })
  t.equal(queue.take(20), undefined)
  queue.add('c', 5)
  t.strictSame(queue.peek(), { at: 5, id: 'c' }, 'an emptied queue is filled again')
})

t.test('whatever the order in which they come, they are taken by their times', async (t) => {
  const orders = [[]] as number[][]
  for (const at of [0, 1, 2, 3, 4, 5, 6]) {
    const shorter = orders.splice(0)
    for (const order of shorter) {
      for (let i = 0; i <= order.length; i++) orders.push(order.toSpliced(i, 0, at))
    }
  }
  let wrong = 0
  for (const order of orders) {
    const queue = new DueQueue(() => true)
    for (const at of order) queue.add(`${at}`, at)
    const taken = order.map(() => queue.take(6)?.at)
    if (taken.some((at, i) => at !== i)) wrong++
  }
  t.equal(orders.length, 5040)
  t.equal(wrong, 0)
})
