import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { ConfigError, loadConfig } from '../../src/config/load.ts'
import { call, phoneFor, startTestService } from '../fixtures/service.ts'

const settings = { BASE_PATH: '/payments/v1' }

t.test('under BASE_PATH every public route is there, and nowhere else', async (t) => {
  const service = await startTestService(t, { settings })
  for (const path of ['/openapi.json', '/problems', '/problems/internal', '/docs/']) {
    t.equal((await service.get(`/payments/v1${path}`)).statusCode, 200, path)
    t.match(await service.get(path), { statusCode: 404, body: { type: '/payments/v1/problems/not-found' } })
  }
  t.match(await service.create({ phone: phoneFor('000') }), { statusCode: 404 })
  const wrongMethod = await call(`${service.url}/payments/v1/clients`, 'PUT', {})
  t.match(wrongMethod, { statusCode: 405, headers: { allow: 'POST' } })
})

t.test('a create under BASE_PATH leads to addresses under it', async (t) => {
  const service = await startTestService(t, { settings })
  const create = (body: object) =>
    call(`${service.url}/payments/v1/clients`, 'POST', { 'content-type': 'application/json' }, JSON.stringify(body))
  const created = await create({ phone: phoneFor('000') })
  t.match(created.headers.location, /^\/payments\/v1\/clients\/requests\//)
  t.match(await service.get(String(created.headers.location)), { statusCode: 200, body: { status: 'created' } })

  const invalid = await create({})
  t.match(invalid, { statusCode: 400, body: { type: '/payments/v1/problems/invalid-request' } })
  const page = await service.get(invalid.body.type, { accept: 'text/html' })
  t.match(page, { statusCode: 200, text: /href="\/payments\/v1\/problems"/ })
  const catalogue = await service.get('/payments/v1/problems', { accept: 'application/json' })
  t.match(catalogue.body.problems[0].type, '/payments/v1/problems/')
})

t.test('what no route ever sees names its page under BASE_PATH, too', async (t) => {
  const service = await startTestService(t, { settings })
  t.match(await service.get('/payments/v1/%zz'), {
    statusCode: 400,
    body: { type: '/payments/v1/problems/invalid-request' },
  })
  const { hostname, port } = new URL(service.url)
  const socket = connect(Number(port), hostname, () => socket.write('this is no HTTP\r\n\r\n'))
  t.match(await text(socket), '"type":"/payments/v1/problems/invalid-request"')
})

t.test('a problem of the operations listener leads to the page on the public one', async (t) => {
  const service = await startTestService(t, { settings })
  const { body } = await call(`${service.opsUrl}/nowhere`, 'GET', {})
  t.equal(body.type, '/payments/v1/problems/not-found')
  t.equal((await service.get(body.type)).statusCode, 200)
})

t.test('OpenAPI names BASE_PATH as its server, and the page loads every part from under it', async (t) => {
  const service = await startTestService(t, { settings })
  const { body } = await service.get('/payments/v1/openapi.json')
  t.match(body.servers, [{ url: '/payments/v1' }])
  t.strictSame(Object.keys(body.paths).sort(), [
    '/clients',
    '/clients/requests/{requestId}',
    '/problems',
    '/problems/{code}',
  ])
  t.notMatch(JSON.stringify(body), '"type":"/problems/')

  const docs = await service.get('/payments/v1/docs/')
  const parts = [...docs.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part = '']) => part)
  t.ok(parts.length > 3)
  for (const part of parts) {
    const { pathname } = new URL(part, `${service.url}/payments/v1/docs/`)
    t.match(pathname, /^\/payments\/v1\/docs\//)
    t.equal((await service.get(pathname)).statusCode, 200, pathname)
  }
})

t.test('a BASE_PATH that no route could have is refused', async (t) => {
  for (const path of ['payments', '/payments/', '/', '/a//b', '/a b', '/../a', '/a/.', '/:a', '/*']) {
    t.throws(() => loadConfig({ BASE_PATH: path }), ConfigError, path)
  }
  t.equal(loadConfig({ BASE_PATH: '/a/b-c_d.e~f' }).basePath, '/a/b-c_d.e~f')
})
