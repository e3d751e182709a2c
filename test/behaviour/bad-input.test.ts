import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { rawRequest, readProblem, sendRaw, sendRawOnce } from '../fixtures/raw-http.ts'
import { call, phoneFor, startTestService, type TestService } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

const json = ['Content-Type: application/json']
const good = JSON.stringify({ phone: phoneFor('567') })

function post(body: string | Buffer, headers: string[] = json): Buffer {
  return rawRequest('POST /clients', headers, body)
}

function inChunks(version: string, coding: string): string {
  const head = `POST /clients ${version}\r\nHost: localhost\r\n${json}\r\nTransfer-Encoding: ${coding}\r\n\r\n`
  return `${head}${good.length.toString(16)}\r\n${good}\r\n0\r\n\r\n`
}

function refused(pointer: string, message: string) {
  return { status: 400, code: 'invalid-request', errors: [{ pointer, message }] }
}

const unsupported = { status: 415, code: 'unsupported-media-type' }
const notFound = { status: 404, code: 'not-found' }
const badHttp = refused('', 'the request is not readable as HTTP')
const badAddress = refused('', 'the address cannot be decoded')

interface Row {
  name: string
  bytes: string | Buffer
  status: number
  code: string
  errors?: { pointer: string; message: string | RegExp }[]
  headers?: Record<string, string>
  route?: string
}

/** What never reaches a route of ours. */
const unmatched = 'unmatched'
const levels = 10_000

const rows: Row[] = [
  {
    name: 'an unknown member',
    bytes: post(`{"phone":"${phoneFor('567')}","nickname":"x"}`),
    ...refused('/nickname', 'is not a member of this contract; remove it'),
  },
  {
    name: 'a number for a string',
    bytes: post('{"phone":998901234567}'),
    ...refused('/phone', 'must be of type string'),
  },
  {
    name: 'a date that does not exist',
    bytes: post(`{"phone":"${phoneFor('567')}","birthDate":"2026-02-30"}`),
    ...refused('/birthDate', 'must be a date that exists and is not in the future, as YYYY-MM-DD'),
  },
  {
    name: 'a country that does not exist',
    bytes: post(`{"phone":"${phoneFor('567')}","country":"UZZ"}`),
    ...refused('/country', 'must be an ISO 3166-1 alpha-3 code that exists, in upper case, such as UZB'),
  },
  { name: 'no body', bytes: post(''), ...refused('', 'must be a JSON object') },
  {
    name: 'an empty body of a given length',
    bytes: post('', [...json, 'Content-Length: 0']),
    ...refused('', 'must be a JSON object'),
  },
  { name: 'null', bytes: post('null'), ...refused('', 'must be of type object') },
  { name: 'an array', bytes: post(`[${good}]`), ...refused('', 'must be of type object') },
  { name: 'a string', bytes: post('"phone"'), ...refused('', 'must be of type object') },
  {
    name: 'an array that is ten thousand levels deep',
    bytes: post('['.repeat(levels) + ']'.repeat(levels)),
    ...refused('', 'must be of type object'),
  },
  {
    name: 'an address that is ten thousand levels deep',
    bytes: post(
      `{"phone":"${phoneFor('567')}","registrationAddress":${'{"country":'.repeat(levels)}1${'}'.repeat(levels)}}`,
    ),
    ...refused('/registrationAddress/country', 'must be of type string'),
  },
  {
    name: 'a member named __proto__',
    bytes: post(`{"phone":"${phoneFor('567')}","__proto__":{"type":"individual"}}`),
    ...refused('/__proto__', 'is not a member of this contract; remove it'),
  },
  {
    name: 'a body that is all __proto__',
    bytes: post(`{"__proto__":${good}}`),
    status: 400,
    code: 'invalid-request',
    errors: [
      { pointer: '/phone', message: 'is required' },
      { pointer: '/__proto__', message: 'is not a member of this contract; remove it' },
    ],
  },
  {
    name: 'a member named constructor',
    bytes: post(`{"phone":"${phoneFor('567')}","constructor":{"prototype":{"type":"individual"}}}`),
    ...refused('/constructor', 'is not a member of this contract; remove it'),
  },
  {
    name: 'a body of 5 MB',
    bytes: post(`{"document":"${'A'.repeat(5_000_000)}"}`),
    status: 413,
    code: 'body-too-large',
  },
  {
    name: 'a body of 5 MB in chunks',
    bytes: Buffer.concat([
      rawRequest('POST /clients', [...json, 'Transfer-Encoding: chunked']),
      Buffer.from(`4c4b40\r\n${' '.repeat(5_000_000)}\r\n0\r\n\r\n`),
    ]),
    status: 413,
    code: 'body-too-large',
  },
  {
    name: 'Content-Type twice',
    bytes: post(good, [...json, ...json]),
    ...refused('content-type', 'must be sent once'),
  },
  { name: 'text/plain', bytes: post(good, ['Content-Type: text/plain']), ...unsupported },
  { name: 'no Content-Type', bytes: post(good, []), ...unsupported },
  { name: 'neither Content-Type nor body', bytes: rawRequest('POST /clients'), ...unsupported },
  { name: 'an empty Content-Type', bytes: post(good, ['Content-Type:']), ...unsupported },
  {
    name: 'a Content-Type with a tab and a semicolon',
    bytes: post(good, ['Content-Type: application/json\t;']),
    ...unsupported,
  },
  { name: 'a Content-Type with a semicolon', bytes: post(good, ['Content-Type: application/json;']), ...unsupported },
  {
    name: 'two types in one Content-Type',
    bytes: post(good, ['Content-Type: application/json, text/plain']),
    ...unsupported,
  },
  {
    name: 'a type that only begins like JSON',
    bytes: post(good, ['Content-Type: application/json-patch+json']),
    ...unsupported,
  },
  {
    name: 'another character set',
    bytes: post(good, ['Content-Type: application/json; charset=utf-16']),
    ...unsupported,
  },
  ...['gzip', 'identity', 'br', ''].map((coding) => ({
    name: `Content-Encoding "${coding}"`,
    bytes: post(good, [...json, `Content-Encoding: ${coding}`]),
    ...unsupported,
  })),
  {
    name: 'JSON with a comma too many',
    bytes: post('{"phone":"+998935551122",}'),
    ...refused('', 'must be a JSON object; unreadable at character 25'),
  },
  {
    name: 'JSON that ends in the middle',
    bytes: post('{"phone":"+99893555'),
    ...refused('', 'must be a JSON object; unreadable at character 19'),
  },
  {
    name: 'JSON with a bare word',
    bytes: post('{"phone":canary}'),
    status: 400,
    code: 'invalid-request',
    errors: [{ pointer: '', message: /^must be a JSON object(; unreadable at character 9)?$/ }],
  },
  { name: 'invalid UTF-8', bytes: post(Buffer.from('{"phone":"\xff"}', 'latin1')), ...refused('', 'must be UTF-8') },
  { name: 'UTF-16', bytes: post(Buffer.from(`\ufeff${good}`, 'utf16le')), ...refused('', 'must be UTF-8') },
  { name: 'an unknown route', bytes: rawRequest('GET /client'), ...notFound, route: unmatched },
  {
    name: 'an unknown route with a body',
    bytes: rawRequest('POST /client', ['Content-Type: text/plain'], 'x'),
    ...notFound,
    route: unmatched,
  },
  { name: 'a slash too many', bytes: rawRequest('POST /clients/', json, good), ...notFound, route: unmatched },
  { name: 'a route in capitals', bytes: rawRequest('POST /CLIENTS', json, good), ...notFound, route: unmatched },
  ...['PUT', 'GET', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY', 'TRACE', 'PURGE'].map((method) => ({
    name: `${method} of a path that only knows POST`,
    bytes: rawRequest(`${method} /clients?x=1`, json, method === 'GET' ? '' : good),
    status: 405,
    code: 'method-not-allowed',
    headers: { allow: 'POST' },
    route: unmatched,
  })),
  {
    name: 'DELETE of a request',
    bytes: rawRequest('DELETE /clients/requests/828cf71d-a447-4a67-a149-c1df8bc197ca'),
    status: 405,
    code: 'method-not-allowed',
    headers: { allow: 'GET, HEAD' },
    route: unmatched,
  },
  {
    name: 'a request id that is no UUID',
    bytes: rawRequest('GET /clients/requests/828cf71d'),
    ...refused('requestId', 'must be a UUID'),
    route: '/clients/requests/:requestId',
  },
  {
    name: 'a request id of 300 characters',
    bytes: rawRequest(`GET /clients/requests/${'a'.repeat(300)}`),
    ...refused('requestId', 'must be a UUID'),
    route: '/clients/requests/:requestId',
  },
  {
    name: 'a request id of a thousand characters',
    bytes: rawRequest(`GET /clients/requests/${'a'.repeat(1000)}`),
    ...refused('', 'the address is too long'),
    status: 414,
    route: unmatched,
  },
  {
    name: 'percent signs that encode nothing',
    bytes: rawRequest('GET /clients/requests/%zz'),
    ...badAddress,
    route: unmatched,
  },
  {
    name: 'percent signs that encode no UTF-8',
    bytes: rawRequest('GET /clients%c0%ae'),
    ...badAddress,
    route: unmatched,
  },
  {
    name: 'headers of 20 kB',
    bytes: post(good, [...json, `X-Long: ${'x'.repeat(20_000)}`]),
    ...refused('', 'the header lines together are too long'),
    status: 431,
    route: unmatched,
  },
  { name: 'no HTTP at all', bytes: 'hello\r\n\r\n', ...badHttp, route: unmatched },
  { name: 'TLS', bytes: Buffer.from('160301020001000', 'hex'), ...badHttp, route: unmatched },
  { name: 'a version of HTTP that is none', bytes: 'GET / HTTP/9.9\r\nHost: x\r\n\r\n', ...badHttp, route: unmatched },
  { name: 'two lengths', bytes: post(good, [...json, 'Content-Length: 1']), ...badHttp, route: unmatched },
  {
    name: 'a negative length',
    bytes: rawRequest('POST /clients', [...json, 'Content-Length: -1']),
    ...badHttp,
    route: unmatched,
  },
  {
    name: 'a length and chunks',
    bytes: post(good, [...json, 'Transfer-Encoding: chunked']),
    ...badHttp,
    route: unmatched,
  },
  { name: 'a line break in a header', bytes: post(good, [...json, 'X-Odd: a\rb']), ...badHttp, route: unmatched },
  {
    name: 'a chunk without a length',
    bytes: Buffer.concat([rawRequest('POST /clients', [...json, 'Transfer-Encoding: chunked']), Buffer.from('zz\r\n')]),
    ...badHttp,
  },
  {
    name: 'no Host',
    bytes: `POST /clients HTTP/1.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${good.length}\r\n\r\n${good}`,
    ...refused('host', 'is required'),
  },
  {
    name: 'Host twice',
    bytes: post(good, [...json, 'Host: localhost']),
    ...refused('host', 'must be sent once'),
    headers: { connection: 'close' },
  },
  {
    name: 'another transfer coding in front of the chunks',
    bytes: inChunks('HTTP/1.1', 'gzip, chunked'),
    ...refused('transfer-encoding', 'must be chunked, or absent'),
    headers: { connection: 'close' },
  },
  {
    name: 'chunks in HTTP/1.0',
    bytes: inChunks('HTTP/1.0', 'chunked'),
    ...refused('transfer-encoding', 'is not known to HTTP/1.0'),
    headers: { connection: 'close' },
  },
  ...['2.0', '0.9'].map((version) => ({
    name: `HTTP/${version} in a request line`,
    bytes: post(good).toString().replace('HTTP/1.1', `HTTP/${version}`),
    ...refused('', 'must be HTTP/1.1 or HTTP/1.0'),
    headers: { connection: 'close' },
  })),
  {
    name: 'an expectation that nobody knows',
    bytes: post(good, [...json, 'Expect: magic']),
    ...refused('expect', 'must be 100-continue, or absent'),
    status: 417,
  },
]

t.test('bad input is a problem, reaches nobody, and does no harm', async (t) => {
  const service = await startTestService(t)
  for (const { name, bytes, status, code, errors, headers = {}, route = '/clients' } of rows) {
    await t.test(`${name} is ${status} ${code}`, async (t) => {
      service.logs.length = 0
      const answer = await sendRawOnce(t, service.url, bytes)
      const problem = readProblem(t, answer, status, code)
      t.equal(problem.safeToRetry, 'no')
      if (errors === undefined) t.notOk(problem.errors)
      else t.match(problem.errors, errors)
      t.equal(problem.errors?.length, errors?.length)
      t.match(answer.headers, headers)
      t.notMatch(answer.text, /canary|99893555/, 'the body is not quoted')
      t.strictSame(service.received, [], 'nothing is sent')
      const reqId = answer.headers['x-request-id']
      // The line is written once the answer has left, so that its reader may be faster.
      await until(
        () => service.logs.length,
        (lines) => lines > 0,
      )
      t.match(service.logs, [{ level: 'info', msg: 'request', reqId, route, statusCode: status }])
      t.equal(service.logs.length, 1, 'one line in the log')
    })
  }
  const answer = await service.create({ phone: phoneFor('567') })
  t.match(answer, { statusCode: 201, body: { status: 'created' } }, 'the next one is created')
  t.equal(service.sandbox.clients().length, 1)
})

const tolerated: [name: string, headers: string[]][] = [
  ['a space more in front', ['Content-Type:  application/json']],
  ['a tab in front', ['Content-Type:\tapplication/json']],
  ['a space behind', ['Content-Type: application/json ']],
  ['capitals', ['CONTENT-TYPE: Application/JSON']],
  ['a character set', ['Content-Type: application/json; charset=utf-8']],
  ['a character set in capitals and quotes', ['Content-Type: application/json;charset="UTF-8"']],
  ['Expect: 100-continue', [...json, 'Expect: 100-continue']],
  ['headers of 8 kB', [...json, `X-Long: ${'x'.repeat(8000)}`]],
]

t.test('what means the same is taken', async (t) => {
  const service = await startTestService(t)
  for (const [name, headers] of tolerated) {
    t.equal((await sendRawOnce(t, service.url, post(good, headers))).statusCode, 201, name)
  }
  t.equal((await sendRawOnce(t, service.url, post(`\r\n ${good}\n`))).statusCode, 201, 'white space around the body')
  const spelled = good.replace('phone', '\\u0070hone')
  t.equal((await sendRawOnce(t, service.url, post(spelled))).statusCode, 201, 'an escaped name of a member')
  const old = post(good).toString().replace('HTTP/1.1', 'HTTP/1.0').replace('Host: localhost\r\n', '')
  t.equal((await sendRawOnce(t, service.url, old)).statusCode, 201, 'HTTP/1.0 has no Host')
  const chunked = rawRequest('POST /clients', [...json, 'Transfer-Encoding: chunked'])
  const chunks = `1\r\n${good[0]}\r\n${(good.length - 1).toString(16)}\r\n${good.slice(1)}\r\n0\r\n\r\n`
  const answer = await sendRawOnce(t, service.url, Buffer.concat([chunked, Buffer.from(chunks)]))
  t.equal(answer.statusCode, 201, 'a body in chunks')
})

t.test('an answer without a body says as much as one with it', async (t) => {
  const service = await startTestService(t)
  const head = (await call(`${service.url}/clients`, 'PUT', {})).headers
  t.match(await sendHead(service), {
    statusCode: 405,
    headers: { allow: 'POST', 'content-length': head['content-length'] },
  })
})

/** With no body, whatever its length says. */
async function sendHead(service: TestService) {
  const { hostname, port } = new URL(service.url)
  const socket = connect(Number(port), hostname)
  socket.write(rawRequest('HEAD /clients'))
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'close')
  const text = Buffer.concat(chunks).toString()
  const value = (name: string) => new RegExp(`^${name}: (.*)$`, 'im').exec(text)?.[1]
  const headers = { allow: value('allow'), 'content-length': value('content-length') }
  return { statusCode: Number(text.split(' ')[1]), headers }
}

t.test('what cannot be read behind a create does not take its answer away', async (t) => {
  const service = await startTestService(t)
  // Without `Connection: close`, so that what follows is read as another request.
  const create = post(JSON.stringify({ phone: phoneFor('001') }))
    .toString()
    .replace('Connection: close\r\n', '')
  for (const rubbish of ['rubbish\r\n\r\n', ' ', '\0'.repeat(100)]) {
    const answers = await sendRaw(service.url, create + rubbish)
    t.match(answers, [{ statusCode: 201 }])
    t.equal(answers.length, 1, 'and there is no other')
  }
  t.equal(service.sandbox.clients().length, 3)
})

t.test('what goes on behind a create without ever being readable does no harm either', async (t) => {
  const service = await startTestService(t)
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => process.off('warning', onWarning))
  const { hostname, port } = new URL(service.url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk
  })
  // What is still on its way when the connection ends may reset it: after the answer, which is what counts.
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(
    post(JSON.stringify({ phone: phoneFor('001') }))
      .toString()
      .replace('Connection: close\r\n', ''),
  )
  // More than an emitter takes listeners without a warning; over before the answer, which a write that fails would discard.
  let lines = 0
  const writing = setInterval(() => {
    socket.write('rubbish\r\n')
    if (++lines === 12) clearInterval(writing)
  }, 5)
  t.teardown(() => clearInterval(writing))
  await closed
  t.equal(lines, 12)
  t.match(text, /^HTTP\/1\.1 201 /)
  t.strictSame(warnings, [])
  t.equal(service.sandbox.clients().length, 1)
})

t.test('what cannot be read behind an answer is answered, too', async (t) => {
  const service = await startTestService(t)
  const { hostname, port } = new URL(service.url)
  const socket = connect(Number(port), hostname)
  socket.write('GET /problems HTTP/1.1\r\nHost: localhost\r\n\r\n')
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    if (text === '') socket.write('rubbish\r\n\r\n')
    text += chunk
  })
  await once(socket, 'close')
  t.match(text, /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 400 /)
})
