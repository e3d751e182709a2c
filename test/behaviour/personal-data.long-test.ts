import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { paths } from '../../src/partner/schema.ts'
import { listen } from '../fixtures/peer.ts'
import { rawRequest, sendRaw } from '../fixtures/raw-http.ts'
import { call, startTestService, type TestService } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

/**
 * A body with something unique in every member, to be looked for wherever it must not be. Partners may spell things
 * differently, so each is looked for without regard to case.
 */
const body = {
  type: 'legal-entity',
  resident: false,
  firstName: 'Canaryfirst',
  lastName: 'Canarylast',
  middleName: 'Canarymiddle',
  birthDate: '1971-03-17',
  email: 'canarymail@canary.example',
  personId: 'canaryperson-7',
  document: Buffer.from('%PDF-1.7 canarydocument').toString('base64'),
  externalUserId: 'canaryuser-7',
  registrationAddress: {
    country: 'UZB',
    postalCode: 'canaryzip1',
    city: 'canarycity1',
    street: 'canarystreet1',
    building: 'canarybuilding1',
  },
  residentialAddress: {
    country: 'UZB',
    postalCode: 'canaryzip2',
    city: 'canarycity2',
    street: 'canarystreet2',
    building: 'canarybuilding2',
  },
  identification: { identifiedAt: '2021-11-13T07:23:59+05:00', identifiedBy: 'canaryoperator' },
}

/** Chooses a scenario, and is not the one that messages give as an example. */
function phoneOf(scenario: string): string {
  return `+998975318${scenario}`
}

const canaries = [/canary/i, /975318\d{3}/, /1971-03-17|17\.03\.1971/, /2021-11-13/, /JVBERi/, /Y2FuYXJ5/]

/** What this service says to the outside, in any way. */
async function readEverythingSaid(service: TestService): Promise<string> {
  const metrics = await call(`${service.opsUrl}/metrics`, 'GET', {})
  return `${JSON.stringify(service.logs)}${metrics.text}`
}

function hasNone(t: Test, text: string, where: string): void {
  for (const canary of canaries) t.equal(canary.exec(text)?.[0], undefined, `${canary} is not in ${where}`)
}

const scenarios = ['567', '001', '002', '003', '005', '006', '007', '009', '010', '011', '012', '013']

t.test('no outcome of a create tells personal data', async (t) => {
  const settings = { REQUEST_DEADLINE_MS: '2500', CREATE_WAIT_MS: '1000', PARTNER_TIMEOUT_MS: '500' }
  const service = await startTestService(t, { settings })
  const create = async (scenario: string) => {
    const answer = await service.create({ phone: phoneOf(scenario), ...body })
    hasNone(t, answer.text + JSON.stringify(answer.headers), `the answer to ${scenario} (${answer.statusCode})`)
    const read = await service.get(String(answer.headers.location ?? `/clients/requests/${answer.body.requestId}`))
    hasNone(t, read.text, `what is known of ${scenario} (${read.statusCode})`)
    return answer.statusCode
  }
  const statusCodes = await Promise.all(scenarios.map(create))
  t.strictSame(new Set(statusCodes), new Set([201, 202, 422, 502]), 'every kind of outcome was there')
  t.ok(
    service.received.some(({ raw }) => /canarydocument|Canaryfirst/.test(raw.toString())),
    'the partner has it',
  )
  hasNone(t, await readEverythingSaid(service), 'logs and metrics')
})

t.test('a caller that hangs up leaves no personal data behind', async (t) => {
  const service = await startTestService(t)
  const { hostname, port } = new URL(service.url)
  const bytes = rawRequest(
    'POST /clients',
    ['Content-Type: application/json'],
    JSON.stringify({ phone: phoneOf('001'), ...body }),
  )

  const early = connect(Number(port), hostname)
  early.write(bytes.subarray(0, bytes.length - 10), () => early.resetAndDestroy())
  const late = connect(Number(port), hostname)
  late.write(bytes)
  await until(
    () => service.received.length,
    (calls) => calls > 0,
  )
  late.resetAndDestroy()
  await until(
    () => service.sandbox.clients().length,
    (clients) => clients === 1,
  )
  await until(
    () => service.logs.filter(({ msg }) => msg === 'caller hung up').length,
    (lines) => lines > 0,
  )
  await service.stop()
  hasNone(t, JSON.stringify(service.logs), 'the logs')
})

t.test('bad input is not quoted', async (t) => {
  const service = await startTestService(t)
  const whole = { phone: phoneOf('567'), ...body }
  const text = JSON.stringify(whole)
  const json = ['Content-Type: application/json']
  const bad = Object.fromEntries(Object.keys(whole).map((name) => [name, `canary998975318567${name}\u0001`]))
  const nested = { ...whole, registrationAddress: bad, residentialAddress: [body.email], identification: body.lastName }
  const inputs: [name: string, bytes: Buffer][] = [
    ['every member wrong', rawRequest('POST /clients', json, JSON.stringify(bad))],
    ['members nested wrong', rawRequest('POST /clients', json, JSON.stringify(nested))],
    ['values of other types', rawRequest('POST /clients', json, JSON.stringify({ ...whole, phone: 998975318567 }))],
    ['cut in the middle', rawRequest('POST /clients', json, text.slice(0, -20))],
    ['a comma too many', rawRequest('POST /clients', json, text.replace(/}$/, ',}'))],
    ['bare words', rawRequest('POST /clients', json, text.replaceAll('"Canarylast"', 'Canarylast'))],
    ['text behind it', rawRequest('POST /clients', json, `${text} canary`)],
    ['wrong bytes', rawRequest('POST /clients', json, Buffer.concat([Buffer.from(text), Buffer.from([0xff])]))],
    ['another type', rawRequest('POST /clients', ['Content-Type: text/canary'], text)],
    ['another coding', rawRequest('POST /clients', [...json, 'Content-Encoding: canary'], text)],
    ['another method', rawRequest('PUT /clients?phone=998975318567', json, text)],
    ['another path', rawRequest('POST /clients/canarylast', json, text)],
    ['a request that is none', rawRequest('GET /clients/requests/canaryuser-7')],
    ['an address that cannot be decoded', rawRequest('GET /canary%zz998975318567')],
    ['a length that is none', rawRequest('POST /clients', [...json, 'Content-Length: canary'], text)],
    ['no HTTP', Buffer.from(`${text}\r\n\r\n`)],
    ['headers that are too long', rawRequest('POST /clients', [...json, `X-Canary: ${'canary'.repeat(4000)}`], text)],
    [
      'a strange id',
      rawRequest('POST /clients', [...json, 'X-Request-Id: canary user', 'traceparent: canary'], 'null'),
    ],
    ['strange wishes', rawRequest('POST /clients', [...json, 'Prefer: canary; wait=canary', 'Expect: canary'], text)],
  ]
  for (const [name, bytes] of inputs) {
    const answers = await sendRaw(service.url, bytes)
    t.ok(answers.length === 1 && Number(answers[0]?.statusCode) >= 400, name)
    hasNone(t, JSON.stringify(answers), `the answer to ${name}`)
  }
  t.strictSame(service.received, [], 'nothing was sent')
  hasNone(t, await readEverythingSaid(service), 'logs and metrics')
})

/** Quotes all that it is sent, in every place it can think of. */
function quote(req: IncomingMessage, res: ServerResponse, text: string, how: string): void {
  const asks = req.url === paths.status
  const values = text.replace(/[{}"]/g, ' ')
  const says = { dt: new Date().toISOString(), error_description: `${values} ${values.toUpperCase()}` }
  const answer = (statusCode: number, body: object | string, headers: Record<string, string> = {}) =>
    res.writeHead(statusCode, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  switch (how) {
    case 'a refusal':
      return void answer(200, { ...says, status: 'error', request_status: 'error', error_code: '1001' })
    case 'a refusal later':
      return void answer(200, { ...says, status: 'ok', request_status: asks ? 'error' : 'process' })
    case 'words':
      return void answer(200, { ...says, status: 'ok', request_status: values })
    case 'HTML':
      return void answer(200, `<pre>\n    at ${text}`, { 'Content-Type': 'text/html' })
    case 'HTTP 500':
      return void answer(500, `Error: ${text}\n    at ${values}`, { 'X-Debug': 'canary' })
    case 'HTTP 429':
      return void answer(429, says, { 'Retry-After': 'canary 998975318567' })
    default:
      return void res.socket?.end(`${text}\r\n`)
  }
}

t.test('a partner that quotes the body is not quoted', async (t) => {
  const hows = ['a refusal', 'a refusal later', 'words', 'HTML', 'HTTP 500', 'HTTP 429', 'no HTTP']
  const check = async (how: string) => {
    const bodies: string[] = []
    const server = createServer(async (req, res) => {
      bodies.push((await buffer(req)).toString())
      quote(req, res, bodies[0] ?? '', how)
    })
    const settings = { REQUEST_DEADLINE_MS: '2000', CREATE_WAIT_MS: '1000' }
    const service = await startTestService(t, { partnerUrl: await listen(t, server, 'http'), settings })
    const answer = await service.create({ phone: phoneOf('567'), ...body })
    t.match(bodies[0], /Canaryfirst/, `${how}: the partner has it`)
    hasNone(t, answer.text + JSON.stringify(answer.headers), `the answer to ${how} (${answer.statusCode})`)
    hasNone(t, await readEverythingSaid(service), `logs and metrics of ${how}`)
    return answer.statusCode
  }
  const statusCodes = await Promise.all(hows.map(check))
  t.strictSame(statusCodes, [422, 422, 202, 202, 202, 503, 202])
})
