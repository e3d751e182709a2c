import { join } from 'node:path'
import t from 'tap'
import { Agent, request } from 'undici'
import { audience, settingsFor, startIssuer } from '../fixtures/issuer.ts'
import { createSelfSigned } from '../fixtures/self-signed.ts'
import { phoneFor, startTestService } from '../fixtures/service.ts'

const sub = 'system:serviceaccount:billing:default'

t.test('service-account tokens of a Kubernetes cluster work as they are', async (t) => {
  const tls = createSelfSigned()
  const podToken = 'token-of-our-own-pod'
  const issuer = await startIssuer(t, { tls, token: podToken })
  const folder = t.testdir({ token: `${podToken}\n`, 'ca.crt': tls.cert })

  // What an operator reads by `kubectl get --raw /.well-known/openid-configuration`.
  const dispatcher = new Agent({ connect: { ca: tls.cert } })
  t.teardown(() => dispatcher.destroy())
  const answer = await request(`${issuer.issuer}/.well-known/openid-configuration`, {
    headers: { authorization: `Bearer ${podToken}` },
    dispatcher,
  })
  const discovered = (await answer.body.json()) as { issuer: string; jwks_uri: string }

  const service = await startTestService(t, {
    settings: {
      AUTH: 'jwt',
      JWT_ISSUER: discovered.issuer,
      JWT_JWKS_URL: discovered.jwks_uri,
      JWT_AUDIENCE: audience,
      JWT_JWKS_TOKEN_FILE: join(folder, 'token'),
      JWT_JWKS_CA_FILE: join(folder, 'ca.crt'),
    },
    level: 'trace',
  })
  const claims = {
    aud: [audience],
    sub,
    'kubernetes.io': { namespace: 'billing', serviceaccount: { name: 'default', uid: 'u' } },
  }
  const token = await issuer.sign(claims)
  const created = await service.create({ phone: phoneFor('567') }, { authorization: `Bearer ${token}` })
  t.equal(created.statusCode, 201)
  const metrics = await service.metrics()
  t.equal(metrics.get(`caller_requests_total{caller="${sub}",outcome="ok"}`), 1)
  t.equal(metrics.get('secret_read_failed{secret="JWT_JWKS_URL"}'), 0)
  t.notMatch(JSON.stringify(service.logs), new RegExp(podToken))
})

for (const [name, others] of Object.entries({
  'without the CA of the cluster': { JWT_JWKS_CA_FILE: '' },
  'without a token for the API server': { JWT_JWKS_TOKEN_FILE: '' },
})) {
  t.test(`${name} the keys cannot be had, so it cannot be said who calls`, async (t) => {
    const tls = createSelfSigned()
    const issuer = await startIssuer(t, { tls, token: 'pod' })
    const folder = t.testdir({ token: 'pod', 'ca.crt': tls.cert })
    const files = { JWT_JWKS_TOKEN_FILE: join(folder, 'token'), JWT_JWKS_CA_FILE: join(folder, 'ca.crt') }
    const service = await startTestService(t, { settings: { ...settingsFor(issuer), ...files, ...others } })
    const authorization = `Bearer ${await issuer.sign({ sub })}`
    const { statusCode, headers, body } = await service.create({ phone: phoneFor('567') }, { authorization })
    t.equal(statusCode, 503)
    t.match(headers['retry-after'], /^\d+$/)
    t.match(body, { code: 'overloaded', detail: /keys/ })
    t.equal((await service.metrics()).get('secret_read_failed{secret="JWT_JWKS_URL"}'), 1)
  })
}
