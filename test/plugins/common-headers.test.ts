import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { generateRequestId } from '../../src/plugins/common-headers.ts'
import { parseTraceId } from '../../src/telemetry/trace-id.ts'
import { appParts } from '../fixtures/app-parts.ts'
import { rawRequest, readProblem, sendRawOnce } from '../fixtures/raw-http.ts'
import { startTestService } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const kept = ['a', '7', 'my-id_1.2', 'A'.repeat(64), '828cf71d-a447-4a67-a149-c1df8bc197ca']
const replaced = ['', ' ', 'a b', 'a,b', 'é', 'a'.repeat(65), 'a\nb', '{"a":1}', '<script>', "'; --"]

for (const id of kept) {
  t.test(`the id ${id} of the caller is kept`, async (t) => {
    t.equal(generateRequestId({ headers: { 'x-request-id': id } }), id)
  })
}

for (const id of [...replaced, undefined, ['a', 'b']]) {
  t.test(`the id ${JSON.stringify(id)} is replaced`, async (t) => {
    t.match(generateRequestId({ headers: { 'x-request-id': id as string } }), uuid)
  })
}

t.test('every answer carries the id, and so does the line in the log', async (t) => {
  const service = await startTestService(t)
  const rows: [headers: string[], expected: string | RegExp][] = [
    [['X-Request-Id: mine-1'], 'mine-1'],
    [['X-Request-Id: not mine'], uuid],
    [['X-Request-Id: one', 'X-Request-Id: two'], uuid],
    [[], uuid],
  ]
  for (const path of ['/problems', '/nowhere', '/%zz', '/openapi.json']) {
    for (const [headers, expected] of rows) {
      service.logs.length = 0
      const answer = await sendRawOnce(t, service.url, rawRequest(`GET ${path}`, headers))
      t.match(answer.headers['x-request-id'], expected)
      t.equal(answer.headers['cache-control'], 'no-store')
      await until(
        () => service.logs.length,
        (lines) => lines > 0,
      )
      t.match(service.logs, [{ msg: 'request', reqId: answer.headers['x-request-id'] }])
    }
  }
})

t.test('every answer of a service that talks to the sandbox says so, and no other does', async (t) => {
  const requests = {
    'of a route': rawRequest('GET /openapi.json'),
    'to an unknown address': rawRequest('GET /nowhere'),
    'to an address that no router can read': rawRequest('GET /%zz'),
    'to headers that are too long': rawRequest('GET /', [`A: ${'a'.repeat(100_000)}`]),
    'to a request that is not HTTP': 'nonsense\r\n\r\n',
    'to a tunnel': 'CONNECT partner.example:443 HTTP/1.1\r\nHost: partner.example:443\r\n\r\n',
  }
  for (const isSandbox of [true, false]) {
    const app = await buildApp({ ...appParts(), isSandbox })
    t.teardown(() => app.close())
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    for (const [what, request] of Object.entries(requests)) {
      const { headers } = await sendRawOnce(t, url, request)
      t.equal(headers['x-partner'], isSandbox ? 'sandbox' : undefined, `the answer ${what}`)
      t.match(headers, { 'x-request-id': uuid, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    }
  }
})

t.test('the files of the documentation have these headers, too, and one that is not there is a problem', async (t) => {
  const app = await buildApp({ ...appParts(), isSandbox: true, docs: 'read' })
  t.teardown(() => app.close())
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const file = 'GET /docs/static/swagger-ui.css'
  const rows: [line: string, headers: string[], status: number][] = [
    [file, [], 200],
    [file, ['Range: bytes=0-9'], 206],
    [file, ['If-None-Match: *'], 304],
    ['GET /docs/static/theme/docs.css', [], 200],
    ['GET /docs/', [], 200],
  ]
  for (const [line, more, status] of rows) {
    const { statusCode, headers } = await sendRawOnce(t, url, rawRequest(line, more))
    t.equal(statusCode, status, `${line} ${more}`)
    t.match(headers, { 'x-request-id': uuid, 'cache-control': 'no-store', 'x-partner': 'sandbox' })
  }
  for (const path of ['canary', 'theme', '..%2Fcanary', '../canary', '/swagger-ui.css', '%00canary']) {
    const missing = await sendRawOnce(t, url, rawRequest(`GET /docs/static/${path}`))
    readProblem(t, missing, 404, 'not-found')
    t.notMatch(missing.text, 'canary', 'the address is the caller’s')
  }
})

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'

const traceparents: [value: unknown, expected: string | undefined][] = [
  [`00-${traceId}-${parentId}-01`, traceId],
  [`00-${traceId}-${parentId}-00`, traceId],
  // A later version may say more.
  [`cc-${traceId}-${parentId}-01-what-the-future-brings`, traceId],
  [`ff-${traceId}-${parentId}-01`, undefined],
  [`00-${'0'.repeat(32)}-${parentId}-01`, undefined],
  [`00-${traceId}-${'0'.repeat(16)}-01`, undefined],
  [`00-${traceId.toUpperCase()}-${parentId}-01`, undefined],
  [`00-${traceId}-${parentId}`, undefined],
  [`00-${traceId}x-${parentId}-01`, undefined],
  ['', undefined],
  [undefined, undefined],
  [[`00-${traceId}-${parentId}-01`], undefined],
]

for (const [value, expected] of traceparents) {
  t.test(`traceparent ${JSON.stringify(value)} is of the trace ${expected}`, async (t) => {
    t.equal(parseTraceId(value), expected)
  })
}

t.test('the trace of a request is in its line, and nothing else of the header', async (t) => {
  const service = await startTestService(t)
  await service.get('/problems', { traceparent: `00-${traceId}-${parentId}-01` })
  await service.get('/problems', { traceparent: 'canary' })
  await until(
    () => service.logs.filter(({ msg }) => msg === 'request').length,
    (lines) => lines === 2,
  )
  const [first, second] = service.logs.filter(({ msg }) => msg === 'request')
  t.match(first, { traceId })
  t.notOk(second?.traceId)
  t.notMatch(JSON.stringify(service.logs), /canary|00f067aa0ba902b7/)
})
