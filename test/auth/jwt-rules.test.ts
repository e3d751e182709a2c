/** Which tokens are believed, without a service around: test/auth/jwt.test.ts has one. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createLocalJWKSet, type JWK, type JWTPayload, SignJWT } from 'jose'
import t from 'tap'
import { createJwtAuthenticator, type JwtRules } from '../../src/auth/jwt.ts'
import { KeysUnreachableError } from '../../src/auth/key-set.ts'
import { until } from '../fixtures/until.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' })
const ed25519 = generateKeyPairSync('ed25519')

const pairs: Record<string, { privateKey: KeyObject; publicKey: KeyObject }> = { rsa, p256, p384, p521, ed25519 }
const keys = Object.entries(pairs).map(([kid, pair]) => ({ ...(pair.publicKey.export({ format: 'jwk' }) as JWK), kid }))
const getKey = createLocalJWKSet({ keys })

const rules: JwtRules = { issuer: 'https://issuer.example', audience: 'clients', callerClaim: 'sub', scope: undefined }
const nowSeconds = () => Math.floor(Date.now() / 1000)

function sign(claims: JWTPayload = {}, header: object = {}, alg = 'RS256', kid = 'rsa'): Promise<string> {
  const good = { iss: rules.issuer, aud: rules.audience, sub: 'billing-app', exp: nowSeconds() + 300 }
  const payload = JSON.parse(JSON.stringify({ ...good, ...claims })) as JWTPayload
  const { privateKey = rsa.privateKey } = pairs[kid] ?? {}
  return new SignJWT(payload).setProtectedHeader({ alg, kid, ...header }).sign(privateKey)
}

const current = () => getKey
const authenticatorWith = (own: Partial<JwtRules> = {}) =>
  createJwtAuthenticator({ getKey, current }, { ...rules, ...own })
const authenticate = async (token: string, own?: Partial<JwtRules>) => authenticatorWith(own).authenticate(token)

const algorithms: [kid: string, ...algorithms: string[]][] = [
  ['rsa', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ['p256', 'ES256'],
  ['p384', 'ES384'],
  ['p521', 'ES512'],
  ['ed25519', 'EdDSA', 'Ed25519'],
]

for (const [kid, ...names] of algorithms) {
  for (const alg of names) {
    t.test(`a token signed with ${alg} is believed`, async (t) => {
      t.equal(await authenticate(await sign({}, {}, alg, kid)), 'billing-app')
    })
  }
}

const reasons: [reason: string, make: () => Promise<string>][] = [
  ['the token comes from another issuer', () => sign({ iss: 'https://elsewhere.example' })],
  ['the token is for another audience', () => sign({ aud: 'another-service' })],
  ['the token is not valid yet', () => sign({ nbf: nowSeconds() + 60 })],
  ['the token has no time of expiry', () => sign({ exp: undefined })],
  ['the token has expired', () => sign({ exp: nowSeconds() - 60 })],
  ['the token is not valid', () => sign({}, { kid: 'unknown' })],
  ['the token is not valid', async () => 'abc'],
  ['the token is not valid', () => sign({ iat: 'today' as unknown as number })],
  ['the token names keys of its own', () => sign({}, { jku: 'https://elsewhere.example' })],
  ['the token names keys of its own', () => sign({}, { jwk: {} })],
  ['the token names keys of its own', () => sign({}, { x5u: 'https://elsewhere.example' })],
  ['the token names keys of its own', () => sign({}, { x5c: [] })],
  ['the token does not name the caller', () => sign({ sub: undefined })],
  ['the token does not name the caller', () => sign({ sub: 'two words' })],
]

for (const [reason, make] of reasons) {
  t.test(`a token is refused as ${reason}`, async (t) => {
    await t.rejects(authenticate(await make()), {
      code: 'unauthenticated',
      body: { detail: `The credential is not accepted: ${reason}.` },
    })
  })
}

t.test('the error of the check is the cause, for the log', async (t) => {
  for (const make of [() => sign({ aud: 'another-service' }), () => sign({ exp: nowSeconds() - 60 })]) {
    const token = await make()
    await t.rejects(authenticate(token), { cause: { code: /^ERR_JWT/ } })
  }
})

t.test('clocks may differ by 30 s', async (t) => {
  for (const claims of [{ exp: nowSeconds() - 15 }, { nbf: nowSeconds() + 15 }]) {
    t.equal(await authenticate(await sign(claims)), 'billing-app')
  }
})

t.test('the claim that the rules name holds the caller', async (t) => {
  t.equal(await authenticate(await sign({ azp: 'ordering' }), { callerClaim: 'azp' }), 'ordering')
})

const scopes: [claims: JWTPayload, has: boolean][] = [
  [{ scope: 'create' }, true],
  [{ scope: 'openid create' }, true],
  [{ scp: 'openid create' }, true],
  [{ scp: ['openid', 'create'] }, true],
  [{ scope: 'openid', scp: ['create'] }, true],
  [{}, false],
  [{ scope: 'create-not' }, false],
  [{ scope: 'Create' }, false],
  [{ scp: [] }, false],
  [{ scp: [7, null, {}] }, false],
  [{ scope: 7 }, false],
]

for (const [claims, has] of scopes) {
  t.test(`${JSON.stringify(claims)} ${has ? 'has' : 'lacks'} the scope`, async (t) => {
    const caller = authenticate(await sign(claims), { scope: 'create' })
    if (has) t.equal(await caller, 'billing-app')
    else await t.rejects(caller, { code: 'forbidden', headers: { 'www-authenticate': /scope="create"/ } })
  })
}

t.test('where the keys cannot be fetched the token is neither good nor bad', async (t) => {
  const unreachable = new KeysUnreachableError(new Error('refused'))
  const { authenticate } = createJwtAuthenticator({ getKey: () => Promise.reject(unreachable), current }, rules)
  const token = await sign()
  await t.rejects(async () => authenticate(token), {
    code: 'overloaded',
    body: {
      detail:
        'The issuer’s keys, which verify tokens, cannot be fetched at the moment. Nothing was sent to FreedomPay.',
    },
    headers: { 'retry-after': /^\d+$/ },
    cause: unreachable,
  })
})

t.test('a fault of ours is not called a bad token', async (t) => {
  const fault = new Error('broken')
  const { authenticate } = createJwtAuthenticator({ getKey: () => Promise.reject(fault), current }, rules)
  const token = await sign()
  await t.rejects(async () => authenticate(token), fault)
})

t.test('a token is verified once, and again after each change of the keys', async (t) => {
  let inUse: unknown = 'first keys'
  let verified = 0
  const { authenticate } = createJwtAuthenticator(
    {
      getKey(header, token) {
        verified++
        return getKey(header, token)
      },
      current: () => inUse,
    },
    rules,
  )
  const token = await sign()
  t.equal(await authenticate(token), 'billing-app')
  t.equal(authenticate(token), 'billing-app', 'at once')
  t.equal(verified, 1)
  inUse = 'next keys'
  t.equal(await authenticate(token), 'billing-app')
  t.equal(verified, 2)
})

t.test('a token that was good is refused once it has expired, skew included', async (t) => {
  const { authenticate } = authenticatorWith()
  // Valid for one to two seconds more.
  const token = await sign({ exp: nowSeconds() - 28 })
  t.equal(await authenticate(token), 'billing-app')
  t.equal(authenticate(token), 'billing-app')
  const refusal = await until(
    async () => {
      try {
        return await authenticate(token)
      } catch (error) {
        return error
      }
    },
    (answer) => answer !== 'billing-app',
  )
  t.match(refusal, { body: { detail: 'The credential is not accepted: the token has expired.' } })
})

t.test('a token that was refused is refused again', async (t) => {
  const { authenticate } = authenticatorWith({ scope: 'create' })
  const token = await sign()
  for (let i = 0; i < 2; i++) await t.rejects(async () => authenticate(token), { code: 'forbidden' })
  const expired = await sign({ scope: 'create', exp: nowSeconds() - 60 })
  for (let i = 0; i < 2; i++) await t.rejects(async () => authenticate(expired), { code: 'unauthenticated' })
})

t.test('OpenAPI hears of bearer tokens that are JWTs', async (t) => {
  const authenticator = authenticatorWith()
  t.strictSame(authenticator.scheme, {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'A token of the issuer of this service',
  })
  authenticator.stop()
})
