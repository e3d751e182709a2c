import { generateKeyPairSync } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { errors, type JSONWebKeySet, type JWK } from 'jose'
import t, { type Test } from 'tap'
import { createJwtAuthenticator } from '../../src/auth/jwt.ts'
import { createKeySet } from '../../src/auth/key-set.ts'
import { audience, createSigningKey, type SigningKey, startIssuer } from '../fixtures/issuer.ts'

const coolDownMs = 30_000
const maxAgeMs = 600_000

/** A key set whose clock and issuer are the test's. */
async function start(t: Test) {
  const issuer = await startIssuer(t)
  const state = { now: 1_000_000, fetches: 0, isAway: false, observed: [] as boolean[], logged: 0 }
  const keySet = createKeySet({
    async fetchKeys() {
      state.fetches++
      if (state.isAway) throw new Error('away')
      return { keys: issuer.keys.map(({ jwk }) => jwk) }
    },
    observe(secret, isRead) {
      t.equal(secret, 'JWT_JWKS_URL')
      state.observed.push(isRead)
    },
    log: {
      error(...told: unknown[]) {
        state.logged++
        t.match(told, [{ err: { message: 'away' } }, 'the keys of the issuer cannot be fetched; known ones stay'])
      },
    },
    now: () => state.now,
  })
  const rules = { issuer: issuer.issuer, audience, callerClaim: 'sub', scope: undefined }
  const { authenticate } = createJwtAuthenticator(keySet, rules)
  const tryWith = async (key: SigningKey) => {
    try {
      return await authenticate(await issuer.sign({}, {}, key))
    } catch (error) {
      return (error as { status?: number }).status
    }
  }
  return { issuer, state, keySet, tryWith, first: issuer.keys[0] as SigningKey }
}

t.test('the keys are fetched once, however many tokens come', async (t) => {
  const { state, tryWith, first } = await start(t)
  const callers = await Promise.all(Array.from({ length: 20 }, () => tryWith(first)))
  t.strictSame(new Set(callers), new Set(['billing-app']))
  t.equal(state.fetches, 1)
})

t.test('a new key is learnt from the first token that names it, once the pause is over', async (t) => {
  const { issuer, state, tryWith, first } = await start(t)
  t.equal(await tryWith(first), 'billing-app')
  const second = await createSigningKey('key-2')
  issuer.keys.push(second)
  state.now += coolDownMs - 1
  t.equal(await tryWith(second), 401, 'the issuer was asked a moment ago')
  t.equal(state.fetches, 1)
  state.now += 1
  t.equal(await tryWith(second), 'billing-app')
  t.equal(state.fetches, 2)
})

t.test('while the issuer is away known keys go on, and an unknown one is a 503 and never a 401', async (t) => {
  const { state, tryWith, first } = await start(t)
  const stranger = await createSigningKey('stranger')
  t.equal(await tryWith(first), 'billing-app')
  state.isAway = true
  state.now += maxAgeMs * 100
  t.equal(await tryWith(first), 'billing-app')
  t.equal(await tryWith(stranger), 503)
  t.equal(await tryWith(stranger), 503, 'in the pause as well')
  t.equal(state.fetches, 2)
  t.equal(state.logged, 1)
  state.now += coolDownMs
  t.equal(await tryWith(stranger), 503)
  t.equal(state.fetches, 3)
  t.equal(state.logged, 1, 'logged once')
  t.equal(state.observed.at(-1), false)

  state.isAway = false
  state.now += coolDownMs
  t.equal(await tryWith(stranger), 401, 'the issuer says that there is no such key')
  t.equal(state.observed.at(-1), true)
})

t.test('a service that never had a key answers 503, and is healed by the next fetch', async (t) => {
  const { state, keySet, tryWith, first } = await start(t)
  state.isAway = true
  await keySet.warmUp()
  t.equal(await tryWith(first), 503)
  state.isAway = false
  state.now += coolDownMs
  t.equal(await tryWith(first), 'billing-app')
})

t.test('a key that the issuer has withdrawn is forgotten when the keys have got old', async (t) => {
  const { issuer, state, keySet, tryWith, first } = await start(t)
  t.equal(await tryWith(first), 'billing-app')
  issuer.keys.splice(0, 1, await createSigningKey('key-2'))
  state.now += maxAgeMs
  t.equal(await tryWith(first), 'billing-app')
  t.equal(state.fetches, 1, 'they are not old yet')
  state.now += 1
  t.equal(await tryWith(first), 'billing-app', 'the old keys serve while new ones are fetched')
  t.equal(state.fetches, 2)
  await keySet.warmUp()
  t.equal(await tryWith(first), 401)
})

t.test('a token that was good is refused when its key is gone, also one that comes all the time', async (t) => {
  const { issuer, state, keySet, first } = await start(t)
  const rules = { issuer: issuer.issuer, audience, callerClaim: 'sub', scope: undefined }
  const { authenticate } = createJwtAuthenticator(keySet, rules)
  const token = await issuer.sign({}, {}, first)
  t.equal(await authenticate(token), 'billing-app')
  t.equal(await authenticate(token), 'billing-app')
  issuer.keys.splice(0, 1, await createSigningKey('key-2'))
  for (let age = 0; age < maxAgeMs; age += coolDownMs) {
    state.now += coolDownMs
    t.equal(await authenticate(token), 'billing-app')
  }
  t.equal(state.fetches, 1)
  state.now += 1
  t.equal(await authenticate(token), 'billing-app', 'the old keys serve while new ones are fetched')
  t.equal(state.fetches, 2, 'a remembered token makes old keys be fetched, too')
  await keySet.warmUp()
  await t.rejects(async () => authenticate(token), { code: 'unauthenticated' })
})

const anyToken = { payload: '', signature: '' }

t.test('a request that comes while the keys are fetched waits for them', async (t) => {
  const { publicKey } = generateKeyPairSync('ed25519')
  const gate = Promise.withResolvers<JSONWebKeySet>()
  const keySet = createKeySet({ fetchKeys: () => gate.promise, observe() {}, log: { error() {} } })
  const asked = [1, 2].map(async () => keySet.getKey({ alg: 'EdDSA', kid: 'k' }, anyToken))
  await nextTurn()
  gate.resolve({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' } as JWK] })
  for (const key of await Promise.all(asked)) t.ok(key)
})

t.test('by the clock of the process, too, tokens with made-up keys do not flood the issuer', async (t) => {
  let fetches = 0
  async function fetchKeys() {
    fetches++
    return { keys: [] }
  }
  const keySet = createKeySet({ fetchKeys, observe() {}, log: { error() {} } })
  for (const kid of ['a', 'b']) {
    await t.rejects(async () => keySet.getKey({ alg: 'EdDSA', kid }, anyToken), errors.JWKSNoMatchingKey)
  }
  t.equal(fetches, 1)
})

t.test('a fault that no key can cause is no reason to fetch keys', async (t) => {
  const { state, keySet } = await start(t)
  await keySet.warmUp()
  state.now += coolDownMs
  await t.rejects(async () => keySet.getKey({ alg: 'HS256', kid: 'key-1' }, anyToken), errors.JOSENotSupported)
  t.equal(state.fetches, 1)
})

t.test('an answer that is no key set is like no answer', async (t) => {
  const keySet = createKeySet({
    fetchKeys: async () => ({ keys: 'none' }) as never,
    observe() {},
    log: { error() {} },
  })
  await keySet.warmUp()
  const asked = (async () => keySet.getKey({ alg: 'RS256', kid: 'k' }, anyToken))()
  await t.rejects(asked, {
    name: 'KeysUnreachableError',
    message: 'the keys of the issuer cannot be fetched',
    cause: errors.JWKSInvalid,
  })
})
