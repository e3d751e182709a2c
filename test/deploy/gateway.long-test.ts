import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import { findFreePort } from '../fixtures/free-port.ts'
import { startGateway } from '../fixtures/nginx.ts'
import { call, phoneFor, startTestService } from '../fixtures/service.ts'
import { skipWithout } from '../fixtures/tools.ts'

const skip = skipWithout('nginx', '-v')
const json = { 'content-type': 'application/json' }
const body = JSON.stringify({ phone: phoneFor('000') })

t.test('a create passes the gateway with its ids and comes back as the service answered', { skip }, async (t) => {
  const service = await startTestService(t)
  const gateway = await startGateway(t, new URL(service.url).host)
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const created = await call(`${gateway}/clients`, 'POST', { ...json, 'x-request-id': 'order-17', traceparent }, body)
  t.match(created, { statusCode: 201, headers: { 'x-request-id': 'order-17' } })
  const line = service.logs.find(({ reqId, msg }) => reqId === 'order-17' && msg === 'request')
  t.match(line, { traceId: '4bf92f3577b34da6a3ce929d0e0e4736' })

  const read = await call(`${gateway}${created.headers.location}`, 'GET', {})
  t.match(read, { statusCode: 200, body: { status: 'created' } })
  t.match(read.headers['x-request-id'], /^[0-9a-f]{32}$/, 'the gateway gives an id where there is none')
  const rejected = await call(`${gateway}/clients`, 'POST', json, JSON.stringify({ phone: phoneFor('002') }))
  t.match(rejected, { statusCode: 422, body: { code: 'partner-rejected' } }, 'problems of the service pass as they are')
  for (const path of ['/openapi.json', '/problems', '/docs/']) {
    t.equal((await call(`${gateway}${path}`, 'GET', {})).statusCode, 200, path)
  }
})

t.test('what is not public does not exist at the gateway', { skip }, async (t) => {
  const service = await startTestService(t)
  const gateway = await startGateway(t, new URL(service.url).host)
  for (const path of ['/metrics', '/livez', '/readyz', '/', '/clientsx', '/clients/../metrics', '/%6detrics']) {
    const { statusCode, headers, body } = await call(`${gateway}${path}`, 'GET', {})
    t.match({ path, statusCode, body }, { path, statusCode: 404, body: { status: 404, code: 'not-found' } })
    t.match(headers, { 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
  }
})

t.test('the gateway’s own errors are problems that promise nothing', { skip }, async (t) => {
  const gateway = await startGateway(t, `127.0.0.1:${await findFreePort()}`)
  const noAnswer = await call(`${gateway}/clients`, 'POST', { ...json, 'x-request-id': 'order-18' }, body)
  t.match(noAnswer, {
    statusCode: 502,
    headers: { 'content-type': 'application/problem+json', 'x-request-id': 'order-18' },
    body: { status: 502, code: 'internal', safeToRetry: 'same-key-only' },
  })
  const tooLarge = await call(`${gateway}/clients`, 'POST', json, Buffer.alloc(3 * 2 ** 20 + 1, 0x20)).catch(
    (error: Error) => error,
  )
  // nginx may cut the connection while the body is still being written.
  if (!(tooLarge instanceof Error)) {
    t.match(tooLarge, { statusCode: 413, body: { code: 'body-too-large', safeToRetry: 'no' } })
  }
})

t.test('a POST that the service took and never answered is not sent again', { skip }, async (t) => {
  let taken = 0
  const upstream = createServer((socket) => {
    socket.once('data', () => {
      taken++
      socket.destroy()
    })
  })
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, `127.0.0.1:${(upstream.address() as AddressInfo).port}`)
  taken = 0
  const answer = await call(`${gateway}/clients`, 'POST', json, body)
  t.match(answer, { statusCode: 502, body: { safeToRetry: 'same-key-only' } })
  t.equal(taken, 1)
})
