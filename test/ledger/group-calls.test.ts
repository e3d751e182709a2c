/** How calls come together in groups, apart from the database that answers them. */
import { mock } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { groupCalls } from '../../src/ledger/group-calls.ts'
import { until } from '../fixtures/until.ts'

interface Item {
  readonly id: string
  readonly value: number
}

interface Held {
  readonly items: readonly Item[]
  readonly answer: PromiseWithResolvers<(string | undefined)[]>
}

/** Calls whose groups stay open until the test answers them. */
function holdGroups(isFaultOfOne = false, limitMs = 60_000) {
  const groups: Held[] = []
  const alone: Item[] = []
  const call = groupCalls<Item, string>({
    idOf: ({ id }) => id,
    callTogether(items) {
      const answer = Promise.withResolvers<(string | undefined)[]>()
      groups.push({ items, answer })
      return answer.promise
    },
    async callAlone(item) {
      alone.push(item)
      if (item.id === 'hangs') return await new Promise<string>(() => undefined)
      if (item.value < 0) throw new Error(`no ${item.id}`)
      return `${item.id} alone`
    },
    isFaultOfOne: () => isFaultOfOne,
    limitMs,
  })
  const untilGroup = (count: number) =>
    until(
      () => groups.length,
      (length) => length === count,
    )
  const answer = (group: Held | undefined) => group?.answer.resolve(group.items.map(({ id }) => `${id} of group`))
  return { call, groups, alone, untilGroup, answer }
}

const toItems = (...ids: string[]) => ids.map((id) => ({ id, value: 0 }))
const idsOf = (group: Held | undefined) => group?.items.map(({ id }) => id)

t.test('a lone call is made alone, and waits for nothing', async (t) => {
  const { call, groups } = holdGroups()
  t.equal(await call({ id: 'a', value: 0 }), 'a alone')
  t.equal(groups.length, 0)
})

t.test('the calls of one turn share one group, and each gets its own answer', async (t) => {
  const { call, groups, alone, untilGroup } = holdGroups()
  const calls = toItems('a', 'b', 'c').map(call)
  await untilGroup(1)
  t.strictSame(idsOf(groups[0]), ['a', 'b', 'c'])
  groups[0]?.answer.resolve(['1', undefined, '3'])
  t.strictSame(await Promise.all(calls), ['1', 'b alone', '3'])
  t.strictSame(alone, toItems('b'), 'what the group did not answer is called alone')
})

t.test('calls wait for the group before, and then share one', async (t) => {
  const { call, groups, untilGroup, answer } = holdGroups()
  const first = toItems('a', 'b').map(call)
  await untilGroup(1)
  const second = toItems('c', 'd').map(call)
  await new Promise(setImmediate)
  second.push(...toItems('e').map(call))
  t.equal(groups.length, 1)
  answer(groups[0])
  t.strictSame(await Promise.all(first), ['a of group', 'b of group'])
  await untilGroup(2)
  t.strictSame(idsOf(groups[1]), ['c', 'd', 'e'])
  answer(groups[1])
  await Promise.all(second)
})

t.test('a group that hangs does not hold up the calls after it', async (t) => {
  const { call, groups, untilGroup, answer } = holdGroups()
  const hanging = toItems('a', 'b').map(call)
  await untilGroup(1)
  const later = toItems('c', 'd').map(call)
  await untilGroup(2)
  answer(groups[1])
  t.strictSame(await Promise.all(later), ['c of group', 'd of group'])
  answer(groups[0])
  await Promise.all(hanging)
  t.equal(await call({ id: 'e', value: 0 }), 'e alone')
})

t.test('one id is not twice in a group', async (t) => {
  const { call, groups, untilGroup, answer } = holdGroups()
  const calls = toItems('a', 'b', 'a', 'b').map(call)
  await untilGroup(1)
  t.strictSame(idsOf(groups[0]), ['a', 'b'])
  answer(groups[0])
  await untilGroup(2)
  t.strictSame(idsOf(groups[1]), ['a', 'b'])
  answer(groups[1])
  t.strictSame(await Promise.all(calls), ['a of group', 'b of group', 'a of group', 'b of group'])
})

t.test('a group holds at most 64 calls', async (t) => {
  const { call, groups, untilGroup, answer } = holdGroups()
  const items = toItems(...Array.from({ length: 100 }, (_, i) => String(i)))
  const calls = items.map(call)
  for (const count of [1, 2]) {
    await untilGroup(count)
    answer(groups[count - 1])
  }
  t.strictSame(
    groups.map((group) => group.items.length),
    [64, 36],
  )
  t.equal((await Promise.all(calls)).at(-1), '99 of group', 'in their order')
})

t.test('where one of them is at fault each is called alone, and only that one fails', async (t) => {
  const { call, groups, untilGroup } = holdGroups(true)
  const results = Promise.allSettled([...toItems('a', 'b'), { id: 'bad', value: -1 }].map(call))
  await untilGroup(1)
  groups[0]?.answer.reject(new Error('one is bad'))
  t.match(await results, [
    { value: 'a alone' },
    { value: 'b alone' },
    { status: 'rejected', reason: { message: 'no bad' } },
  ])
})

t.test('any other failure is the failure of each, and nothing is called again', async (t) => {
  const { call, groups, alone, untilGroup } = holdGroups()
  const results = Promise.allSettled(toItems('a', 'b').map(call))
  await untilGroup(1)
  groups[0]?.answer.reject(new Error('lost'))
  t.match(await results, [{ reason: { message: 'lost' } }, { reason: { message: 'lost' } }])
  t.strictSame(alone, [])
  t.equal(await call({ id: 'c', value: 0 }), 'c alone', 'and later calls go on')
})

const isTooLate = { message: 'no answer from the ledger within 200 ms' }

t.test('no call outlives its limit, in a group or alone', async (t) => {
  const { call, alone, untilGroup, groups } = holdGroups(true, 200)
  await t.rejects(call({ id: 'hangs', value: 0 }), isTooLate, 'alone')
  const together = Promise.allSettled(toItems('a', 'b').map(call))
  await untilGroup(1)
  t.match(await together, [{ reason: isTooLate }, { reason: isTooLate }], 'in a group')
  groups[0]?.answer.reject(new Error('one is bad'))
  await new Promise(setImmediate)
  t.strictSame(alone, toItems('hangs'), 'what nobody waits for is not called again')
})

t.test('a call that waits for the group before has the same limit', async (t) => {
  const { call, untilGroup } = holdGroups(false, 200)
  const first = Promise.allSettled(toItems('a', 'b').map(call))
  await untilGroup(1)
  const later = Promise.allSettled(toItems('a', 'b').map(call))
  t.match(await Promise.all([first, later]), Array(2).fill(Array(2).fill({ reason: isTooLate })))
})

t.test('a call that is made again alone has only what is left of its limit', async (t) => {
  // A clock of the test's own, so that a busy machine decides nothing.
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const { call, groups, alone } = holdGroups(true, 200)
  const ended: string[] = []
  const calls = toItems('hangs', 'b').map((item) =>
    call(item).then(
      (result) => ended.push(result),
      (error: Error) => ended.push(error.message),
    ),
  )
  await nextTurn()
  mock.timers.tick(150)
  groups[0]?.answer.reject(new Error('one is bad'))
  await nextTurn()
  t.strictSame(alone, toItems('hangs', 'b'))
  mock.timers.tick(49)
  await nextTurn()
  t.strictSame(ended, ['b alone'])
  mock.timers.tick(1)
  await Promise.all(calls)
  t.strictSame(ended, ['b alone', isTooLate.message])
})
