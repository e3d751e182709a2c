import t, { type Test } from 'tap'
import { loadConfig } from '../src/config/load.ts'
import { startService } from '../src/service.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { closeSchema, createCheck, loadOpenApi } from './fixtures/openapi.ts'
import { type Answer, call, phoneFor, startTestService } from './fixtures/service.ts'

const openApi = loadOpenApi()
const check = createCheck(openApi)

/** Judges an answer by what the document says of that status: the schema of the body, the media type, the headers. */
function judge(t: Test, { statusCode, headers, body }: Answer, status: number, path = '/clients', method = 'post') {
  t.equal(statusCode, status)
  const described = openApi.paths[path]?.[method]?.responses[status]
  const mediaType = String(headers['content-type']).split(';')[0] ?? ''
  const schema = described?.content[mediaType]?.schema
  t.ok(schema, `${status} ${mediaType} is described`)
  t.strictSame(check(closeSchema(openApi, schema ?? {}), body), [], `${status} is as described, with no other members`)
  for (const name of ['location', 'retry-after', 'preference-applied', 'idempotency-status']) {
    const isDescribed = Object.keys(described?.headers ?? {}).some((header) => header.toLowerCase() === name)
    if (headers[name] !== undefined) t.ok(isDescribed, `${name} is described for ${status}`)
  }
}

t.test('the answers of a running service are what the document says', async (t) => {
  const service = await startTestService(t, { settings: { CREATE_WAIT_MS: '200' } })
  const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
    call(`${service.url}/clients`, 'POST', { 'content-type': 'application/json', ...headers }, body)

  const created = await service.create({ phone: phoneFor('567') }, { prefer: 'wait=2' })
  judge(t, created, 201)
  const key = { 'idempotency-key': 'k-1' }
  judge(t, await service.create({ phone: phoneFor('567') }, key), 201)
  const replayed = await service.create({ phone: phoneFor('567') }, key)
  judge(t, replayed, 201)
  t.equal(replayed.headers['idempotency-status'], 'replayed')
  judge(t, await service.create({ phone: phoneFor('568') }, key), 422)
  judge(t, await service.create({ phone: phoneFor('002') }, { 'idempotency-key': 'k-2' }), 422)
  judge(t, await service.create({ phone: phoneFor('567') }, { 'idempotency-key': 'k 3' }), 400)
  const pending = await service.create({ phone: phoneFor('010') })
  judge(t, pending, 202)
  judge(t, await service.create({ phone: 998901234567, x: 1 }), 400)
  judge(t, await post('{"phone":'), 400)
  judge(t, await post(Buffer.alloc(3 * 1024 * 1024 + 1, ' ')), 413)
  judge(t, await post('{}', { 'content-type': 'text/plain' }), 415)
  const rejected = await service.create({ phone: phoneFor('002') })
  judge(t, rejected, 422)
  judge(t, await service.create({ phone: phoneFor('011') }), 502)

  const read = '/clients/requests/{requestId}'
  for (const { body } of [created, pending, rejected]) {
    judge(t, await service.get(`/clients/requests/${body.requestId}`), 200, read, 'get')
  }
  judge(t, await service.get('/clients/requests/7d1f0a52-3c9e-4b8a-9f61-2e5d8c7b4a90'), 404, read, 'get')
  judge(t, await service.get('/clients/requests/no-uuid'), 400, read, 'get')
  for (const { body } of [created, pending, rejected]) {
    const { headers } = await service.get(`/clients/requests/${body.requestId}`)
    t.equal(
      headers['retry-after'] !== undefined,
      body === pending.body,
      'one that is not final says when to look again',
    )
  }
  judge(t, await service.get('/problems', { accept: 'application/json' }), 200, '/problems', 'get')
  const page = await service.get('/problems/internal', { accept: 'application/json' })
  judge(t, page, 200, '/problems/{code}', 'get')
  judge(t, await service.get('/problems/nonsense'), 404, '/problems/{code}', 'get')

  const otherMethod = await call(`${service.url}/clients`, 'PUT', {})
  t.equal(otherMethod.statusCode, 405)
  t.equal(otherMethod.headers.allow, 'POST')
  judge(t, otherMethod, 405)
})

t.test('the answer while FreedomPay cannot be reached is what the document says', async (t) => {
  const service = await startTestService(t, { settings: { FREEDOMPAY_BASE_URL: 'http://127.0.0.1:1' } })
  judge(t, await service.create({ phone: phoneFor('567') }, { 'idempotency-key': 'k-1' }), 503)
})

t.test('every example ends as its summary says', async (t) => {
  // All run at once, so the times leave room for a busy machine.
  const settings = { PARTNER_TIMEOUT_MS: '3000', REQUEST_DEADLINE_MS: '12000', CREATE_WAIT_MS: '5000' }
  const service = await startTestService(t, { settings })
  const examples = openApi.paths['/clients']?.post?.requestBody?.content['application/json']?.examples ?? {}
  await Promise.all(
    Object.values(examples).map(async ({ summary = '', value }) => {
      const { statusCode } = await service.create(value)
      t.equal(String(statusCode), summary.slice(0, 3), summary)
    }),
  )
})

t.test('/openapi.json is the committed document, and /docs shows it unless DOCS is off', async (t) => {
  const service = await startTestService(t)
  t.strictSame((await service.get('/openapi.json')).body, openApi)
  const docs = await service.get('/docs')
  t.equal(docs.statusCode, 200)
  const policy = String(docs.headers['content-security-policy'])
  t.match(policy, /^default-src 'none'; script-src 'self';/)
  t.notMatch(policy, /https?:|upgrade-insecure-requests/, 'works over plain HTTP, and from here alone')

  const bare = await startTestService(t, { settings: { DOCS: 'off' } })
  t.equal((await bare.get('/docs')).statusCode, 404)
  t.strictSame((await bare.get('/openapi.json')).body, openApi)
})

t.test('/docs says sandbox or live, and fills in a key that nobody has used', async (t) => {
  const live = await startTestService(t)
  const { info, paths } = (await live.get('/docs/json')).body
  t.match(info.description, /^> \*\*Live\.\*\*[\s\S]*## Start here/)
  const keyOf = (body: typeof paths) => body['/clients'].post.parameters[0].example
  t.not(keyOf(paths), keyOf((await live.get('/docs/json')).body.paths))
  t.match((await live.get('/docs')).text, '<meta name="viewport" content="width=device-width, initial-scale=1">')
  t.match((await live.get('/')).headers, { location: '/docs' })

  const service = await startService(loadConfig({ PORT: '0', OPS_PORT: '0' }), createLogger('fatal'), 'test')
  t.teardown(() => service.stop())
  const page = await call(`${service.url}/docs/json`, 'GET', {})
  t.match(page.body.info.description, /^> \*\*Sandbox\.\*\*/)
})
