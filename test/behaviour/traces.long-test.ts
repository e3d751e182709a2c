/** Traces as a collector and FreedomPay see them: a service in a process of its own, OTLP over real HTTP. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { startCollector } from '../fixtures/collector.ts'
import { findFreePort } from '../fixtures/free-port.ts'
import { startPartner, startReady } from '../fixtures/program.ts'
import { call, phoneFor } from '../fixtures/service.ts'

t.setTimeout(150_000)

const json = { 'content-type': 'application/json' }
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
const marker = 'Kanarienvogel'

/** The headers of every call that FreedomPay gets, by what it is. */
async function startListeningPartner(t: Test) {
  const calls: { operation: string; traceparent: unknown; tracestate: unknown }[] = []
  const partner = await startPartner(t, {
    onReceived({ path, headers: { traceparent, tracestate } }) {
      calls.push({ operation: path.endsWith('/add') ? 'add' : 'status', traceparent, tracestate })
    },
  })
  return { ...partner, calls }
}

async function stop({ child, ended }: Awaited<ReturnType<typeof startReady>>) {
  const startedAt = performance.now()
  child.kill('SIGTERM')
  return { ...(await ended), ms: performance.now() - startedAt }
}

t.test('a create is one span, with one below it for each call and each step of the ledger', async (t) => {
  const [collector, partner] = await Promise.all([startCollector(t), startListeningPartner(t)])
  const service = await startReady(t, {
    ...partner.settings,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    PARTNER_TRACE_CONTEXT: 'true',
  })
  const phone = phoneFor('000')
  const key = `key-of-${marker}`
  const document = Buffer.from(`%PDF-${marker}${'x'.repeat(200_000)}`).toString('base64')
  const body = JSON.stringify({ phone, firstName: marker, email: `${marker}@example.com`, document })
  const headers = { ...json, 'idempotency-key': key, traceparent, tracestate: `vendor=${marker}` }
  const created = await call(`${service.url}/clients`, 'POST', headers, body)
  t.equal(created.statusCode, 201)
  const read = await call(`${service.url}${created.headers.location}`, 'GET', {})
  t.equal(read.statusCode, 200)
  const rejected = await call(`${service.url}/clients`, 'POST', json, JSON.stringify({ phone: phoneFor('002') }))
  t.equal(rejected.statusCode, 422)
  t.equal((await stop(service)).code, 0, 'what has not been sent is sent at the end')

  const ofTrace = collector.spans.filter((span) => span.traceId === traceId)
  const [request] = ofTrace.filter(({ name }) => name === 'POST /clients')
  t.match(request, {
    kind: 2,
    parentSpanId: '00f067aa0ba902b7',
    isError: false,
    attributes: {
      'http.request.method': 'POST',
      'http.route': '/clients',
      'http.response.status_code': 201,
      'clients.outcome': 'created',
    },
  })
  const below = ofTrace.filter((span) => span !== request)
  t.same(
    below.map(({ parentSpanId }) => parentSpanId),
    below.map(() => request?.spanId),
    'everything else is below the request',
  )
  const names = below.map(({ name }) => name)
  for (const name of ['FreedomPay add', 'FreedomPay status', 'ledger claim']) {
    t.equal(names.filter((one) => one === name).length, 1, `one ${name}`)
  }
  t.ok(names.includes('ledger record'))
  for (const name of ['FreedomPay add', 'FreedomPay status']) {
    const span = below.find((one) => one.name === name)
    const operation = name.slice('FreedomPay '.length)
    t.match(span, {
      kind: 3,
      attributes: { 'partner.operation': operation, 'partner.outcome': 'created', 'partner.result': 'ok' },
    })
    t.match(
      partner.calls.find((one) => one.operation === operation),
      { traceparent: `00-${traceId}-${span?.spanId}-01`, tracestate: `vendor=${marker}` },
      'FreedomPay’s own spans would be below the call',
    )
  }
  t.match(below.find(({ name }) => name === 'ledger claim')?.attributes, {
    'ledger.operation': 'claim',
    'ledger.result': 'ok',
  })

  const others = collector.spans.filter((span) => span.traceId !== traceId)
  t.match(
    others.find(({ name }) => name === 'GET /clients/requests/:requestId'),
    { attributes: { 'http.response.status_code': 200 } },
  )
  const refused = others.find(({ name }) => name === 'POST /clients')
  t.match(refused?.attributes, { 'clients.outcome': 'rejected', 'clients.problem': 'partner-rejected' })
  const line = service.logs.find(({ statusCode, msg }) => statusCode === 422 && msg === 'request')
  t.equal(line?.traceId, refused?.traceId, 'the log names a trace that began here')

  const sent = collector.bodies.join()
  const { requestId } = read.body as { requestId: string }
  for (const secret of [marker, phone, phone.slice(1), key, document.slice(0, 20), requestId]) {
    t.notOk(sent.includes(secret), `no span holds ${secret}`)
  }
})

t.test('FreedomPay hears nothing of a trace unless a setting says so', async (t) => {
  const collector = await startCollector(t)
  for (const [setting, expected] of [
    ['false', undefined],
    ['true', traceparent],
  ] as const) {
    const partner = await startListeningPartner(t)
    const service = await startReady(t, { ...partner.settings, PARTNER_TRACE_CONTEXT: setting })
    const headers = { ...json, traceparent, tracestate: 'vendor=17' }
    const body = JSON.stringify({ phone: phoneFor('000') })
    t.equal((await call(`${service.url}/clients`, 'POST', headers, body)).statusCode, 201)
    const tracestate = expected && 'vendor=17'
    t.strictSame(partner.calls, [
      { operation: 'add', traceparent: expected, tracestate },
      { operation: 'status', traceparent: expected, tracestate },
    ])
    partner.calls.length = 0
    const malformed = { ...json, traceparent: `${traceparent}-é`.slice(1), tracestate: 'vendor=é' }
    t.equal((await call(`${service.url}/clients`, 'POST', malformed, body)).statusCode, 201)
    t.strictSame(
      partner.calls.map((one) => [one.traceparent, one.tracestate]),
      partner.calls.map(() => [undefined, undefined]),
      'what is malformed goes no further',
    )
  }
  t.strictSame(collector.bodies, [], 'and nothing is sent to a collector that no setting names')
})

t.test('a collector that cannot be reached, or never answers, disturbs nothing and holds no shutdown', async (t) => {
  const silent = createServer(() => undefined)
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => {
    silent.close()
    silent.closeAllConnections()
  })
  const partner = await startPartner(t)
  const withoutTraces = await startReady(t, partner.settings)
  const usual = await stop(withoutTraces)
  for (const port of [await findFreePort(), (silent.address() as AddressInfo).port]) {
    const service = await startReady(t, {
      ...partner.settings,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    })
    const body = JSON.stringify({ phone: phoneFor('000') })
    t.equal((await call(`${service.url}/clients`, 'POST', json, body)).statusCode, 201)
    const { code, errors, ms } = await stop(service)
    t.match({ code, errors }, { code: 0, errors: '' })
    t.comment(`stopped within ${Math.round(ms)} ms, without traces within ${Math.round(usual.ms)} ms`)
    const stopping = service.logs.find(({ msg }) => msg === 'stopping')
    const stopped = service.logs.find(({ msg }) => msg === 'stopped')
    // One second for the traces; the rest is for a machine that other tests keep busy.
    t.ok(Date.parse(String(stopped?.time)) - Date.parse(String(stopping?.time)) < 5000, 'far less than an export takes')
  }
})
