import t from 'tap'
import { createVerifiedTokens } from '../../src/auth/verified-tokens.ts'

const most = 1000

function start() {
  const state = { keys: {} as unknown, now: 1_000_000 }
  const tokens = createVerifiedTokens(
    () => state.keys,
    () => state.now,
  )
  const add = (token: string, keys = state.keys, forMs = 60_000) =>
    tokens.add(token, keys, { caller: `caller of ${token}`, expiresAtMs: state.now + forMs })
  return { state, tokens, add }
}

t.test('only a token that was added is found', async (t) => {
  const { tokens, add } = start()
  t.equal(tokens.find('a'), undefined)
  add('a')
  add('b')
  t.equal(tokens.find('a'), 'caller of a')
  t.equal(tokens.find('b'), 'caller of b')
  t.equal(tokens.find('a'), 'caller of a')
  t.equal(tokens.find('A'), undefined)
})

t.test('from the moment of its expiry on, a token is not found', async (t) => {
  const { state, tokens, add } = start()
  add('a', state.keys, 1000)
  state.now += 999
  t.equal(tokens.find('a'), 'caller of a')
  state.now += 1
  t.equal(tokens.find('a'), undefined)
  state.now -= 1
  t.equal(tokens.find('a'), undefined, 'nor after the clock was set back')
})

t.test('by the clock of the machine, too', async (t) => {
  const tokens = createVerifiedTokens(() => 'keys')
  tokens.find('any')
  tokens.add('past', 'keys', { caller: 'a', expiresAtMs: Date.now() - 1 })
  tokens.add('future', 'keys', { caller: 'b', expiresAtMs: Date.now() + 60_000 })
  t.equal(tokens.find('past'), undefined)
  t.equal(tokens.find('future'), 'b')
})

t.test('a change of the keys forgets every token', async (t) => {
  const { state, tokens, add } = start()
  const before = state.keys
  add('a')
  state.keys = {}
  t.equal(tokens.find('a'), undefined)
  state.keys = before
  t.equal(tokens.find('a'), undefined, 'for good')

  add('a')
  state.keys = {}
  add('b')
  t.equal(tokens.find('a'), undefined)
  t.equal(tokens.find('b'), 'caller of b')
})

t.test('a token whose verification began before a change of the keys is not remembered', async (t) => {
  const { state, tokens, add } = start()
  const before = state.keys
  state.keys = {}
  add('a', before)
  t.equal(tokens.find('a'), undefined)
  add('a')
  t.equal(tokens.find('a'), 'caller of a')
})

t.test(`of more than ${most} tokens the oldest are forgotten`, async (t) => {
  const { tokens, add } = start()
  for (let i = 0; i < most; i++) add(String(i))
  t.equal(tokens.find('0'), 'caller of 0')
  add('next')
  t.equal(tokens.find('0'), undefined)
  t.equal(tokens.find('1'), 'caller of 1')
  t.equal(tokens.find('next'), 'caller of next')
})
