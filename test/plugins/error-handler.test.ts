import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type FastifyInstance, fastify, LogController } from 'fastify'
import { Histogram, Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import commonHeaders, { generateRequestId } from '../../src/plugins/common-headers.ts'
import errorHandler, { sendProblem } from '../../src/plugins/error-handler.ts'
import httpMetrics from '../../src/plugins/http-metrics.ts'
import linger from '../../src/plugins/linger.ts'
import notFound from '../../src/plugins/not-found.ts'
import { answerClientError, answerTunnel } from '../../src/plugins/raw-answers.ts'
import unreadableHttp from '../../src/plugins/unreadable-http.ts'
import { Problem } from '../../src/problems/problem.ts'
import { toProblem } from '../../src/problems/translate.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createRequestLogs } from '../../src/telemetry/request-log.ts'
import { appParts } from '../fixtures/app-parts.ts'
import { rawRequest, readProblem, sendRaw, sendRawOnce } from '../fixtures/raw-http.ts'
import { call } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

const canary = 'canary-998935551122'

/** A listener like the public one, with routes that misbehave. */
async function startApp(t: Test, addRoutes: (app: FastifyInstance) => void, requestTimeoutMs = 0) {
  const logs: Record<string, unknown>[] = []
  const log = createLogger('info', { write: (line: string) => void logs.push(JSON.parse(line)) })
  const labelNames = ['method', 'route', 'status_code'] as const
  const histogram = new Histogram({
    name: 'seconds',
    help: 'x',
    labelNames,
    registers: [new Registry()],
  })
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: createRequestLogs(log),
    genReqId: generateRequestId,
    requestTimeout: requestTimeoutMs,
    // Node takes the larger of the two for the whole request.
    http: { connectionsCheckingInterval: 20, headersTimeout: requestTimeoutMs },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, log, { basePath: '', isSandbox: false }),
    frameworkErrors: (error, request, reply) =>
      sendProblem(toProblem(error), request, reply, { basePath: '', isSandbox: false }),
  }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  app.server.on('connect', (request, socket) => answerTunnel(request, socket, log, { basePath: '', isSandbox: false }))
  await app.register(commonHeaders, { isSandbox: false })
  await app.register(httpMetrics, {
    metrics: { observeHttpRequest: (labels, seconds) => histogram.observe(labels, seconds), countCaller() {} },
  })
  await app.register(errorHandler)
  await app.register(linger)
  await app.register(unreadableHttp)
  await app.register(notFound)
  addRoutes(app)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  logs.length = 0
  const hasLines = (count: number) =>
    until(
      () => logs.length,
      (lines) => lines >= count,
    )
  return { app, url, logs, hasLines, histogram }
}

function codedError(code: string, statusCode?: number): Error {
  return Object.assign(new Error(canary), { code, statusCode })
}

const translations: { error: unknown; status: number; code: string; errors?: object[] }[] = [
  { error: codedError('FST_ERR_CTP_BODY_TOO_LARGE', 413), status: 413, code: 'body-too-large' },
  { error: codedError('FST_ERR_CTP_INVALID_MEDIA_TYPE', 415), status: 415, code: 'unsupported-media-type' },
  {
    error: codedError('FST_ERR_CTP_INVALID_CONTENT_LENGTH', 400),
    status: 400,
    code: 'invalid-request',
    errors: [{ pointer: 'content-length', message: 'must be the length of the body' }],
  },
  {
    error: codedError('FST_ERR_BAD_URL', 400),
    status: 400,
    code: 'invalid-request',
    errors: [{ pointer: '', message: 'the address cannot be decoded' }],
  },
  {
    error: codedError('FST_ERR_MAX_PARAM_LENGTH', 414),
    status: 414,
    code: 'invalid-request',
    errors: [{ pointer: '', message: 'the address is too long' }],
  },
  { error: codedError('FST_STATIC_FORBIDDEN_PATH', 403), status: 404, code: 'not-found' },
  { error: codedError('FST_ERR_OF_TOMORROW', 400), status: 400, code: 'invalid-request', errors: [] },
  { error: codedError('FST_ERR_OF_TOMORROW', 499), status: 499, code: 'invalid-request', errors: [] },
  { error: codedError('FST_ERR_OF_TOMORROW', 399), status: 500, code: 'internal' },
  { error: codedError('FST_ERR_OF_TOMORROW', 500), status: 500, code: 'internal' },
  { error: codedError('FST_ERR_OF_TOMORROW', 503), status: 500, code: 'internal' },
  { error: codedError('ENOENT'), status: 500, code: 'internal' },
  { error: new TypeError(canary), status: 500, code: 'internal' },
  { error: canary, status: 500, code: 'internal' },
  { error: null, status: 500, code: 'internal' },
  { error: undefined, status: 500, code: 'internal' },
  { error: {}, status: 500, code: 'internal' },
]

for (const { error, status, code, errors } of translations) {
  const name = error instanceof Error ? `${error.name} ${JSON.stringify(error)}` : JSON.stringify(error)
  t.test(`${name} is the problem ${status} ${code}`, async (t) => {
    const problem = toProblem(error)
    t.match(problem, { status, code, cause: error })
    t.strictSame(problem.body.errors, errors)
    t.notMatch(JSON.stringify(problem.body), canary, 'nothing of the error is told')
  })
}

t.test('a problem is not translated', async (t) => {
  const problem = new Problem('forbidden')
  t.equal(toProblem(problem), problem)
})

t.test('what a route throws is answered, with its headers', async (t) => {
  const { url, logs, hasLines } = await startApp(t, (app) => {
    const requestId = '828cf71d-a447-4a67-a149-c1df8bc197ca'
    app.get('/rejected', async () => {
      throw new Problem('partner-rejected', { requestId, partner: { code: '1001' }, headers: { 'x-more': 'yes' } })
    })
  })
  const answer = await call(`${url}/rejected`, 'GET', {})
  const problem = readProblem(t, answer, 422, 'partner-rejected')
  t.match(problem, { requestId: /^828cf71d/, partner: { code: '1001' }, safeToRetry: 'no' })
  t.equal(answer.headers['x-more'], 'yes')
  await hasLines(1)
  t.match(logs, [{ level: 'info', msg: 'request', statusCode: 422 }])
  t.equal(logs.length, 1, 'it is no failure, so that there is only the line of the request')
})

t.test(
  'a failure of the partner is one warning, one of ours is one error, and neither says what is in it',
  async (t) => {
    const { url, logs, hasLines } = await startApp(t, (app) => {
      app.get('/partner-unavailable', async () => {
        throw new Problem('partner-unavailable', { cause: codedError('ECONNREFUSED'), headers: { 'retry-after': '5' } })
      })
      app.get('/internal', async () => {
        throw Object.assign(new RangeError(canary), { statusCode: 502, code: 'ODD' })
      })
      app.get('/hook', { preHandler: async () => Promise.reject(new Error(canary)) }, async () => 'never')
    })
    for (const [path, status, code, level] of [
      ['/partner-unavailable', 503, 'partner-unavailable', 'warn'],
      ['/internal', 500, 'internal', 'error'],
      ['/hook', 500, 'internal', 'error'],
    ] as const) {
      logs.length = 0
      const answer = await call(url + path, 'GET', {})
      readProblem(t, answer, status, code)
      t.notMatch(answer.text, canary)
      await hasLines(2)
      const reqId = answer.headers['x-request-id']
      t.match(logs, [
        { level, code, reqId, err: { type: 'Problem', cause: { stack: /^at / } } },
        { level: 'info', msg: 'request', reqId, statusCode: status },
      ])
      t.equal(logs.length, 2)
      t.notMatch(JSON.stringify(logs), canary)
    }
  },
)

t.test('a fault after the claim names the create, so that its caller can read what came of it', async (t) => {
  const createClient = () => Promise.reject(new TypeError(canary))
  const app = await buildApp({ ...appParts(), createClient })
  t.teardown(() => app.close())
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const headers = { 'content-type': 'application/json' }
  const faulty = await call(`${url}/clients`, 'POST', headers, JSON.stringify({ phone: '+998901234567' }))
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  t.match(readProblem(t, faulty, 500, 'internal').requestId, uuid)

  const requestId = '828cf71d-a447-4a67-a149-c1df8bc197ca'
  const other = await call(`${url}/clients/requests/${requestId}`, 'GET', {})
  t.notOk('requestId' in readProblem(t, other, 500, 'internal'), 'no create was made or read')
})

t.test('a path knows its methods, whatever its pattern', async (t) => {
  const { url } = await startApp(t, (app) => {
    const handler = async () => 'ok'
    app.get('/things/:id', handler)
    app.delete('/things/:id', handler)
    app.put('/things/:id/parts', handler)
    app.post('/files/*', handler)
    app.route({ method: ['POST', 'PATCH'], url: '/a.b+c', handler })
  })
  const rows: [path: string, status: number, allow?: string][] = [
    ['/things/1', 405, 'DELETE, GET, HEAD'],
    ['/things/1?x=/2', 405, 'DELETE, GET, HEAD'],
    ['/things/%20', 405, 'DELETE, GET, HEAD'],
    ['/%74hin%67s/1', 405, 'DELETE, GET, HEAD'],
    ['/things/a%2Fb', 405, 'DELETE, GET, HEAD'],
    ['http://localhost/things/1?x', 405, 'DELETE, GET, HEAD'],
    ['HTTPS://localhost/things/1', 405, 'DELETE, GET, HEAD'],
    ['/things/1/parts', 405, 'PUT'],
    ['/files/a/b/c', 405, 'POST'],
    ['/a.b+c', 405, 'PATCH, POST'],
    ['/aXb+c', 404],
    ['/a.bbc', 404],
    ['/things/', 404],
    ['/things/1/2', 404],
    ['/things%2F1', 404],
    ['http://localhost', 404],
    ['ftp://localhost/things/1', 404],
    ['/', 404],
  ]
  for (const [path, status, allow] of rows) {
    const answer = await sendRawOnce(t, url, rawRequest(`PROPFIND ${path}`))
    readProblem(t, answer, status, status === 405 ? 'method-not-allowed' : 'not-found')
    t.equal(answer.headers.allow, allow, path)
  }
})

t.test('a request that does not arrive in time is 408, under its own id, and one line', async (t) => {
  const head = 'POST /slow HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: slow-1\r\nContent-Type: application/json\r\n'
  const rows: [bytes: string, route: string, reqId: string | RegExp][] = [
    [`${head}Content-Length: 100\r\n\r\n{`, '/slow', 'slow-1'],
    [head, 'unmatched', /^[0-9a-f-]{36}$/],
    ['POST /slow', 'unmatched', /^[0-9a-f-]{36}$/],
  ]
  async function check([bytes, route, reqId]: (typeof rows)[number]) {
    const addRoutes = (app: FastifyInstance) => void app.post('/slow', async () => 'ok')
    // Time enough for a slow machine to read what is there, and for all rows at once.
    const { url, logs, hasLines, histogram } = await startApp(t, addRoutes, 800)
    const answer = await sendRawOnce(t, url, bytes)
    const problem = readProblem(t, answer, 408, 'invalid-request')
    t.strictSame(problem.errors, [{ pointer: '', message: 'the request did not arrive completely in time' }])
    t.match(answer.headers['x-request-id'], reqId)
    await hasLines(1)
    t.match(logs, [{ level: 'info', msg: 'request', route, statusCode: 408, reqId }])
    t.equal(logs.length, 1)
    const { values } = await histogram.get()
    const counts = values.filter(({ metricName }) => metricName === 'seconds_count')
    const labels = { method: 'POST', route: '/slow', status_code: 408 }
    t.match(counts, route === '/slow' ? [{ value: 1, labels }] : [])
  }
  await Promise.all(rows.map(check))
})

t.test('a caller that hangs up in the middle is nobody to answer', async (t) => {
  const { app, url, logs, hasLines } = await startApp(t, (app) => void app.post('/slow', async () => 'ok'))
  const head = 'POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n'
  const { hostname, port } = new URL(url)
  const countConnections = () =>
    new Promise<number>((resolve) => app.server.getConnections((_error, count) => resolve(count)))

  for (const [bytes, lines] of [
    [`${head}\r\n{`, [{ level: 'info', msg: 'caller hung up', route: '/slow', statusCode: 499 }]],
    [head, []],
  ] as const) {
    logs.length = 0
    const arrival = once(app.server, lines.length > 0 ? 'request' : 'connection')
    const socket = connect(Number(port), hostname)
    await new Promise((resolve) => socket.write(bytes, resolve))
    await arrival
    socket.resetAndDestroy()
    await until(countConnections, (count) => count === 0)
    await hasLines(lines.length)
    t.match(logs, lines)
    t.equal(logs.length, lines.length)
  }
})

const connectLine =
  'CONNECT partner.example:443 HTTP/1.1\r\nHost: partner.example:443\r\nX-Request-Id: tunnel-1\r\n\r\n'

t.test('a tunnel is refused with a problem, under its own id, and what comes through it is not read', async (t) => {
  const { url, logs } = await startApp(t, (app) => void app.get('/', async () => 'ok'))
  const inTunnel = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const answer = await sendRawOnce(t, url, connectLine + inTunnel)
  readProblem(t, answer, 405, 'method-not-allowed')
  t.match(answer.headers, { 'x-request-id': 'tunnel-1', allow: '', connection: 'close' })
  t.match(logs, [{ msg: 'request', reqId: 'tunnel-1', method: 'CONNECT', route: 'unmatched', statusCode: 405 }])
  t.equal(logs.length, 1)
})

t.test('a tunnel gets its refusal after the answers to earlier requests', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { app, url } = await startApp(t, (app) => {
    app.get('/slow', async () => gate.promise.then(() => 'slow'))
  })
  const tunnel = once(app.server, 'connect')
  const answers = sendRaw(url, `GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n${connectLine}`)
  await tunnel
  gate.resolve()
  t.match(await answers, [{ statusCode: 200, text: 'slow' }, { statusCode: 405 }])
})

t.test('after an answer that ends the connection a tunnel gets none', async (t) => {
  const { url, logs } = await startApp(t, (app) => {
    app.get('/last', async (_request, reply) => reply.header('connection', 'close').send('last'))
  })
  const answers = await sendRaw(url, `GET /last HTTP/1.1\r\nHost: localhost\r\n\r\n${connectLine}`)
  t.match(answers, [{ statusCode: 200, text: 'last' }])
  t.equal(answers.length, 1)
  t.match(logs, [{ statusCode: 200 }])
  t.equal(logs.length, 1)
})

t.test('a caller that resets its tunnel stops nobody', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { app, url } = await startApp(t, (app) => {
    app.get('/slow', async () => gate.promise.then(() => 'slow'))
    app.get('/', async () => 'ok')
  })
  const tunnel = once(app.server, 'connect')
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(`GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n${connectLine}`)
  const [, held] = (await tunnel) as [unknown, Socket]
  const closed = new Promise((resolve) => held.once('close', resolve))
  // Read, as an error is noticed only by a reader.
  held.resume()
  socket.resetAndDestroy()
  await closed
  gate.resolve()
  t.equal((await call(`${url}/`, 'GET', {})).statusCode, 200)
})

t.test('rubbish that goes on is answered once', async (t) => {
  const { url, logs } = await startApp(t, () => {})
  const answers = await sendRaw(url, 'rubbish\r\n'.repeat(200_000))
  t.match(answers, [{ statusCode: 400 }])
  t.equal(answers.length, 1)
  t.equal(logs.length, 1)
})

t.test('rubbish in a body that has its answer already is not answered again', async (t) => {
  const { url, logs, hasLines } = await startApp(t, (app) => {
    app.post('/early', { onRequest: async () => Promise.reject(new Problem('unauthenticated')) }, async () => 'never')
  })
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write('POST /early HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk
    socket.write('rubbish\r\n')
  })
  await once(socket, 'close')
  await hasLines(1)
  t.match(text, /^HTTP\/1\.1 401 /)
  t.notMatch(text.slice(1), /HTTP\/1\.1/)
  t.match(logs, [{ msg: 'request', statusCode: 401 }])
  t.equal(logs.length, 1)
})
