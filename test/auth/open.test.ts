import { hash } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { openAuthenticator } from '../../src/auth/open.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { audience, startIssuer } from '../fixtures/issuer.ts'
import { until } from '../fixtures/until.ts'

const log = createLogger('silent', { write() {} })

t.test('without AUTH nobody proves who is calling', async (t) => {
  t.equal(openAuthenticator({ kind: 'none' }, { observe() {}, log }), undefined)
})

t.test('with api-key the file says who is calling', async (t) => {
  const keysFile = join(t.testdir({ keys: `billing-app:${hash('sha256', 'key')}\n` }), 'keys')
  const observed: unknown[] = []
  const observe = (...told: unknown[]) => void observed.push(told)
  const authenticator = openAuthenticator({ kind: 'api-key', keysFile }, { observe, log })
  t.teardown(() => authenticator?.stop())
  t.equal(await authenticator?.authenticate('key'), 'billing-app')
  t.strictSame(observed, [['API_KEYS_FILE', true]])
})

t.test('with jwt the keys are fetched before the first token comes, and the token says who is calling', async (t) => {
  const issuer = await startIssuer(t)
  const observed: unknown[] = []
  const settings = {
    kind: 'jwt' as const,
    rules: { issuer: issuer.issuer, audience, callerClaim: 'sub', scope: undefined },
    jwksUrl: issuer.jwksUrl,
    readJwksToken: () => undefined,
    readJwksCa: () => undefined,
  }
  const observe = (...told: unknown[]) => void observed.push(told)
  const authenticator = openAuthenticator(settings, { observe, log })
  await until(
    () => observed.length,
    (count) => count > 0,
  )
  t.strictSame(observed, [['JWT_JWKS_URL', true]])
  t.equal(await authenticator?.authenticate(await issuer.sign()), 'billing-app')
  t.equal(observed.length, 1)
})
