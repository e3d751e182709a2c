import { createHmac, createPublicKey } from 'node:crypto'
import type { JWTPayload } from 'jose'
import t, { type Test } from 'tap'
import { createJwtAuthenticator } from '../../src/auth/jwt.ts'
import {
  audience,
  createSigningKey,
  type Issuer,
  type SigningKey,
  settingsFor,
  startIssuer,
} from '../fixtures/issuer.ts'
import { rawRequest, readProblem, sendRawOnce } from '../fixtures/raw-http.ts'
import { type Answer, phoneFor, startTestService, type TestService } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

const body = { phone: phoneFor('567') }
const nowSeconds = () => Math.floor(Date.now() / 1000)
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

const create = (service: TestService, token: string): Promise<Answer> =>
  service.create(body, { authorization: `Bearer ${token}` })

async function start(t: Test, settings: Record<string, string> = {}) {
  const issuer = await startIssuer(t)
  const service = await startTestService(t, { settings: { ...settingsFor(issuer), ...settings }, level: 'trace' })
  return { issuer, service }
}

function claimsOf({ issuer }: Issuer): JWTPayload {
  return { iss: issuer, aud: audience, sub: 'billing-app', exp: nowSeconds() + 300 }
}

/** Tokens that must not be believed, each but for one thing like a good one. */
const badTokens: Record<string, (issuer: Issuer, stranger: SigningKey) => string | Promise<string>> = {
  'without a signature (none)': (issuer) =>
    `${base64url({ alg: 'none', kid: 'key-1' })}.${base64url(claimsOf(issuer))}.`,
  'HS256 with the public key as its secret': (issuer) => {
    const [key] = issuer.keys
    const pem = createPublicKey({ key: key?.jwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    const signed = `${base64url({ alg: 'HS256', kid: 'key-1' })}.${base64url(claimsOf(issuer))}`
    return `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`
  },
  'of another issuer': (issuer) => issuer.sign({ iss: 'https://elsewhere.example' }),
  'for another audience': (issuer) => issuer.sign({ aud: 'another-service' }),
  'expired beyond the skew': (issuer) => issuer.sign({ exp: nowSeconds() - 60 }),
  'not valid yet, beyond the skew': (issuer) => issuer.sign({ nbf: nowSeconds() + 60 }),
  'without an expiry': (issuer) => issuer.sign({ exp: undefined }),
  'with an unknown key id': (issuer, stranger) => issuer.sign({}, {}, stranger),
  'of a stranger, with a key id that is known': (issuer, stranger) => issuer.sign({}, { kid: 'key-1' }, stranger),
  'with jku': (issuer) => issuer.sign({}, { jku: 'https://elsewhere.example/keys' }),
  'with x5u': (issuer) => issuer.sign({}, { x5u: 'https://elsewhere.example/chain' }),
  'with its own key': (issuer, stranger) => issuer.sign({}, { jwk: stranger.jwk }, stranger),
  'with a critical extension that is not known': (issuer) =>
    issuer
      .sign()
      .then((token) =>
        [base64url({ alg: 'RS256', kid: 'key-1', crit: ['x'], x: 1 }), ...token.split('.').slice(1)].join('.'),
      ),
  'that names no caller': (issuer) => issuer.sign({ sub: undefined }),
  'whose caller is no text': (issuer) => issuer.sign({ sub: 7 as never }),
  'whose caller has a line break': (issuer) => issuer.sign({ sub: 'billing\napp' }),
  'whose caller is the anonymous one': (issuer) => issuer.sign({ sub: 'anonymous' }),
  'with another payload': async (issuer) => {
    const [header, , signature] = (await issuer.sign()).split('.')
    return `${header}.${base64url({ ...claimsOf(issuer), sub: 'other-app' })}.${signature}`
  },
  'cut short': async (issuer) => (await issuer.sign()).slice(0, -7),
  'that is no token': () => 'abc',
  'with five parts': () => 'a.b.c.d.e',
  'of 12 kB': async (issuer) => issuer.sign({ padding: 'x'.repeat(9000) }),
}

t.test('a token that is not good is a 401 with its reason, and no part of it is in the log', async (t) => {
  const { issuer, service } = await start(t)
  const stranger = await createSigningKey('stranger')
  for (const [name, make] of Object.entries(badTokens)) {
    const token = await make(issuer, stranger)
    const { statusCode, headers, body } = await create(service, token)
    t.equal(statusCode, 401, name)
    t.match(
      headers['www-authenticate'],
      /^Bearer realm="freedompay-clients", error="invalid_token", error_description="[^"]+"$/,
    )
    t.match(body, { code: 'unauthenticated', safeToRetry: 'no', detail: /^The credential is not accepted: / })
    for (const part of token.split('.').filter(({ length }) => length > 3)) {
      t.notOk(JSON.stringify(service.logs).includes(part), `${name}: not logged`)
    }
  }
  t.equal(service.received.length, 0, 'nothing reached the partner')
  t.equal((await create(service, await issuer.sign())).statusCode, 201, 'and a good one is taken')
})

t.test('a request must show one token, and show it in one way', async (t) => {
  const { issuer, service } = await start(t)
  const good = await issuer.sign()
  const rows: [name: string, lines: string[]][] = [
    ['none', []],
    ['two headers', [`Authorization: Bearer ${good}`, `Authorization: Bearer ${good}`]],
    ['two tokens', [`Authorization: Bearer ${good}, Bearer ${good}`]],
    ['another scheme', [`Authorization: Basic ${good}`]],
    ['no scheme', [`Authorization: ${good}`]],
    ['an empty token', ['Authorization: Bearer']],
    ['another header', [`X-Access-Token: ${good}`]],
    ['claims of a proxy', ['X-Forwarded-User: billing-app', 'X-Forwarded-For: 127.0.0.1', 'Forwarded: for=127.0.0.1']],
  ]
  for (const [name, lines] of rows) {
    const request = rawRequest('POST /clients', ['Content-Type: application/json', ...lines], JSON.stringify(body))
    const answer = await sendRawOnce(t, service.url, request)
    t.comment(name)
    readProblem(t, answer, 401, 'unauthenticated')
    t.match(answer.headers['www-authenticate'], /^Bearer realm=/)
  }
  const inQuery = await service.get(`/clients/requests/7d1f0a52-3c9e-4b8a-9f61-2e5d8c7b4a90?access_token=${good}`)
  t.equal(inQuery.statusCode, 401)
  t.notOk(JSON.stringify(service.logs).includes(good.slice(-40)))
})

t.test('a token of 1 MB is refused with a problem before anybody reads it, and no part of it is logged', async (t) => {
  const { service } = await start(t)
  const request = rawRequest('POST /clients', [`Authorization: Bearer ${'canary'.repeat(175_000)}`])
  const answer = await sendRawOnce(t, service.url, request)
  t.equal(readProblem(t, answer, 431, 'invalid-request').safeToRetry, 'no')
  t.match(answer.headers, { connection: 'close', 'x-content-type-options': 'nosniff' })
  t.notMatch(answer.text, /canary/)
  const lines = await until(
    () => service.logs.filter(({ msg }) => msg === 'request'),
    ({ length }) => length === 1,
  )
  t.match(lines, [{ route: 'unmatched', statusCode: 431, err: { code: 'HPE_HEADER_OVERFLOW' } }])
  t.notMatch(JSON.stringify(service.logs), /canary/)
  t.equal(service.received.length, 0)
})

t.test('clocks may differ by 30 s', async (t) => {
  const { issuer, service } = await start(t)
  for (const claims of [{ exp: nowSeconds() - 15 }, { nbf: nowSeconds() + 15 }]) {
    t.equal((await create(service, await issuer.sign(claims))).statusCode, 201)
  }
})

t.test('the caller is in the claim that the settings name, and in every line of its requests', async (t) => {
  const { issuer, service } = await start(t, { JWT_CALLER_CLAIM: 'azp' })
  t.equal((await create(service, await issuer.sign({ azp: 'ordering' }))).statusCode, 201)
  await until(
    () => service.logs.filter(({ msg }) => msg === 'request').length,
    (lines) => lines > 0,
  )
  t.match(
    service.logs.find(({ msg }) => msg === 'request'),
    { caller: 'ordering', route: '/clients' },
  )
  t.equal((await service.metrics()).get('caller_requests_total{caller="ordering",outcome="ok"}'), 1)
})

t.test('a caller whose token lacks the scope is known, but may not', async (t) => {
  const { issuer, service } = await start(t, { JWT_SCOPE: 'clients:create' })
  for (const claims of [{}, { scope: 'clients:create-not' }, { scope: 'openid Clients:create' }, { scp: ['openid'] }]) {
    const { statusCode, headers, body } = await create(service, await issuer.sign(claims))
    t.equal(statusCode, 403)
    t.match(headers['www-authenticate'], /error="insufficient_scope", scope="clients:create"$/)
    t.equal(body.code, 'forbidden')
  }
  for (const claims of [{ scope: 'openid clients:create' }, { scp: ['openid', 'clients:create'] }]) {
    t.equal((await create(service, await issuer.sign(claims))).statusCode, 201)
  }
})

t.test('every asymmetric algorithm will do, as long as the key is meant for it', async (t) => {
  const { issuer, service } = await start(t)
  issuer.keys.push(
    await createSigningKey('ec', 'ES256'),
    await createSigningKey('ed', 'EdDSA'),
    await createSigningKey('ps', 'PS256'),
  )
  const [, ec, ed, ps] = issuer.keys as [SigningKey, SigningKey, SigningKey, SigningKey]
  for (const [key, alg] of [
    [ec, 'ES256'],
    [ed, 'EdDSA'],
    [ps, 'PS256'],
  ] as const) {
    const restarted = await startTestService(t, { settings: settingsFor(issuer) })
    t.equal((await create(restarted, await issuer.sign({}, { alg }, key))).statusCode, 201, alg)
  }
  t.ok(service)
})

t.test('what cannot be checked because of a fault of ours is not called a bad token', async (t) => {
  const fault = new Error('broken')
  const getKey = () => Promise.reject(fault)
  const issuer = await startIssuer(t)
  const rules = { issuer: issuer.issuer, audience, callerClaim: 'sub', scope: undefined }
  const { authenticate } = createJwtAuthenticator({ getKey, current: () => undefined }, rules)
  const token = await issuer.sign()
  await t.rejects(async () => authenticate(token), fault)
})

t.test('while the issuer is away, a request with a key may be sent again with that key alone', async (t) => {
  const issuer = await startIssuer(t)
  issuer.isAway = true
  const service = await startTestService(t, { settings: settingsFor(issuer) })
  const authorization = `Bearer ${await issuer.sign()}`
  // The ledger was not asked, so an earlier attempt with the key may have reached FreedomPay.
  for (const [own, safeToRetry] of [
    [{ 'idempotency-key': 'order-1' }, 'same-key-only'],
    [{}, 'yes'],
  ] as const) {
    const refused = await service.create(body, { authorization, ...own })
    t.match(refused, {
      statusCode: 503,
      headers: { 'retry-after': /^\d+$/ },
      body: { code: 'overloaded', safeToRetry },
    })
  }
  t.equal(service.received.length, 0)
})
