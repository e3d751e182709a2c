import { hash } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { faultsOf } from '../fixtures/faults-of.ts'

const production = {
  NODE_ENV: 'production',
  LEDGER_URL: 'memory:',
  FREEDOMPAY_AUTH_ID: '1',
  FREEDOMPAY_SECRET_KEY: 'secret',
  FREEDOMPAY_PRODUCT_ID: '1000',
}
const jwt = {
  AUTH: 'jwt',
  JWT_JWKS_URL: 'https://issuer.example/keys',
  JWT_ISSUER: 'https://issuer.example',
  JWT_AUDIENCE: 'clients',
}

t.test('everybody may call outside production, and in production only where that was said', async (t) => {
  t.strictSame(loadConfig({}).auth, { kind: 'none' })
  t.match(faultsOf(production), [/^AUTH must be set in production/])
  t.strictSame(loadConfig({ ...production, AUTH: 'none' }).auth, { kind: 'none' })
})

t.test('the file of keys must be there and without a fault before anything listens', async (t) => {
  const digest = hash('sha256', 'key')
  const folder = t.testdir({
    good: `billing-app:${digest}\n`,
    bad: `billing-app:${digest}\nsecret-text\n`,
    empty: '\n',
  })
  const settings = (name: string) => ({ AUTH: 'api-key', API_KEYS_FILE: join(folder, name) })
  t.strictSame(loadConfig(settings('good')).auth, { kind: 'api-key', keysFile: join(folder, 'good') })
  t.match(faultsOf({ AUTH: 'api-key' }), ['API_KEYS_FILE is required with AUTH=api-key'])
  t.match(faultsOf(settings('absent')), [/^API_KEYS_FILE .*ENOENT/])
  t.match(faultsOf(settings('empty')), [/^API_KEYS_FILE .*there is no key/])
  const [fault = ''] = faultsOf(settings('bad'))
  t.match(fault, /line 2 /)
  t.notMatch(fault, /secret-text/)
})

t.test('tokens need an issuer, an audience and the address of the keys', async (t) => {
  t.match(loadConfig(jwt).auth, {
    kind: 'jwt',
    jwksUrl: jwt.JWT_JWKS_URL,
    rules: { issuer: jwt.JWT_ISSUER, audience: jwt.JWT_AUDIENCE, callerClaim: 'sub', scope: undefined },
  })
  for (const name of ['JWT_JWKS_URL', 'JWT_ISSUER', 'JWT_AUDIENCE'] as const) {
    t.strictSame(faultsOf({ ...jwt, [name]: '' }), [`${name} is required with AUTH=jwt`])
  }
})

t.test('the token and the CA for the keys are read where they stand, and stand nowhere in the result', async (t) => {
  const folder = t.testdir({ token: 'token-of-the-pod\n', ca: 'certificate\n' })
  const files = { JWT_JWKS_TOKEN_FILE: join(folder, 'token'), JWT_JWKS_CA_FILE: join(folder, 'ca') }
  const { auth } = loadConfig({ ...jwt, ...files })
  if (auth.kind !== 'jwt') throw new Error('another kind')
  t.equal(auth.readJwksToken(), 'token-of-the-pod')
  t.equal(auth.readJwksCa(), 'certificate')
  t.notMatch(JSON.stringify(auth), /token-of-the-pod/)
})

t.test('settings of another kind of AUTH contradict it', async (t) => {
  t.strictSame(faultsOf({ API_KEYS_FILE: '/keys' }), ['API_KEYS_FILE belongs to AUTH=api-key, but AUTH is none'])
  t.strictSame(faultsOf({ ...jwt, API_KEYS_FILE: '/keys' }), ['API_KEYS_FILE belongs to AUTH=api-key, but AUTH is jwt'])
  const { AUTH: _, ...rest } = { ...jwt, JWT_SCOPE: 's', JWT_CALLER_CLAIM: 'sub' }
  t.strictSame(
    faultsOf(rest).map((fault) => fault.split(' ')[0]),
    ['JWT_JWKS_URL', 'JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_CALLER_CLAIM', 'JWT_SCOPE'],
  )
})

t.test('keys come over HTTPS in production, or from the loopback', async (t) => {
  const fetchFrom = (url: string, others = {}) => faultsOf({ ...others, ...jwt, JWT_JWKS_URL: url })
  t.strictSame(fetchFrom('http://issuer.example/keys'), [])
  t.match(fetchFrom('http://issuer.example/keys', production), [/^JWT_JWKS_URL must be/])
  for (const host of ['localhost', '127.0.0.1:8080', '[::1]'])
    t.strictSame(fetchFrom(`http://${host}/`, production), [])
  for (const url of ['keys', 'ftp://host/keys', 'https://user:password@host/']) {
    t.match(fetchFrom(url), [/^JWT_JWKS_URL must be/], url)
  }
})

t.test('a scope is one word', async (t) => {
  t.strictSame(faultsOf({ ...jwt, JWT_SCOPE: 'clients:create' }), [])
  for (const scope of ['a b', 'a"b', 'ä']) t.match(faultsOf({ ...jwt, JWT_SCOPE: scope }), [/^JWT_SCOPE must be/])
})
