import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { buildOps, type OpsParts } from '../src/ops.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import { call, phoneFor, startTestService } from './fixtures/service.ts'

/** The operations listener alone, as it is in a process that starts or stops. */
async function startOps(parts: Partial<OpsParts>) {
  const metrics = createMetrics({ version: '1.2.3', commit: 'abc' }, async () => ({
    unresolved: 0,
    oldestUnresolvedSeconds: 0,
    needsAttention: 0,
    oldestDueSeconds: 0,
  }))
  return buildOps({ log: createLogger('silent'), metrics, lifecycle: { phase: 'ready' }, ...parts })
}

const outcomes = ['created', 'processing', 'unknown', 'rejected', 'invalid', 'not_sent', 'overloaded', 'misconfigured']
const results = [
  'ok',
  'rejected',
  'http_4xx',
  'http_5xx',
  'timeout',
  'reset',
  'refused',
  'dns',
  'tls',
  'bad_body',
  'drift',
]
const operations = ['add', 'status']

/** Every metric of the contract: its type and its labels. */
const promised: Record<string, readonly [type: string, ...labels: string[]]> = {
  http_request_duration_seconds: ['histogram', 'method', 'route', 'status_code'],
  clients_create_total: ['counter', 'outcome'],
  partner_request_duration_seconds: ['histogram', 'operation', 'result'],
  clients_found_out_total: ['counter', 'outcome'],
  clients_corrected_total: ['counter', 'from', 'to'],
  ledger_request_duration_seconds: ['histogram', 'operation', 'result'],
  reconciler_oldest_due_seconds: ['gauge'],
  ledger_needs_attention: ['gauge'],
  caller_requests_total: ['counter', 'caller', 'outcome'],
  secret_read_timestamp_seconds: ['gauge', 'secret'],
  secret_read_failed: ['gauge', 'secret'],
  log_lines_dropped_total: ['counter'],
  partner_requests_in_flight: ['gauge'],
  partner_circuit_state: ['gauge', 'state'],
  partner_retries_total: ['counter', 'reason'],
  idempotency_total: ['counter', 'result'],
  ledger_unresolved: ['gauge'],
  ledger_oldest_unresolved_seconds: ['gauge'],
  build_info: ['gauge', 'version', 'commit'],
  // Two of prom-client's default ones.
  process_cpu_seconds_total: ['counter'],
  nodejs_eventloop_lag_seconds: ['gauge'],
}

/** The names of the labels of a metric's samples, a list for each sample. `le` belongs to every histogram. */
function labelsOf(samples: Map<string, number>, name: string): string[][] {
  return [...samples.keys()].flatMap((sample) => {
    const [, inBraces = ''] = new RegExp(`^${name}(?:_bucket|_sum|_count)?(?:\\{(.*)\\})?$`).exec(sample) ?? []
    const labels = [...inBraces.matchAll(/(\w+)="/g)].map(([, label = '']) => label).filter((label) => label !== 'le')
    return sample.startsWith(name) ? [labels] : []
  })
}

t.test('/metrics has every promised metric before anything has happened', async (t) => {
  const service = await startTestService(t)
  const { statusCode, headers, text } = await call(`${service.opsUrl}/metrics`, 'GET', {})
  t.equal(statusCode, 200)
  t.match(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  const types = Object.fromEntries([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]))
  t.match(types, Object.fromEntries(Object.entries(promised).map(([name, [type]]) => [name, type])))
  const samples = await service.metrics()
  for (const outcome of [...outcomes, 'replayed']) t.equal(samples.get(`clients_create_total{outcome="${outcome}"}`), 0)
  for (const operation of operations) {
    const counts = results.map((result) => `{operation="${operation}",result="${result}"}`)
    for (const labels of counts) t.equal(samples.get(`partner_request_duration_seconds_count${labels}`), 0)
  }
  for (const outcome of ['created', 'rejected', 'not-created']) {
    t.equal(samples.get(`clients_found_out_total{outcome="${outcome}"}`), 0)
  }
  t.equal(samples.get('clients_corrected_total{from="not-created",to="created"}'), 0)
  t.equal(samples.get('ledger_request_duration_seconds_count{operation="claim",result="error"}'), 0)
  for (const secret of ['FREEDOMPAY_SECRET_KEY', 'LEDGER_KEY']) {
    t.equal(samples.get(`secret_read_failed{secret="${secret}"}`), 0)
    t.ok((samples.get(`secret_read_timestamp_seconds{secret="${secret}"}`) ?? 0) > 1.7e9, 'seconds since the epoch')
  }
  for (const name of ['log_lines_dropped_total', 'ledger_needs_attention', 'partner_requests_in_flight']) {
    t.equal(samples.get(name), 0, name)
  }
  t.match(text, /^build_info\{version="\d+\.\d+\.\d+",commit="test"\} 1$/m)
})

t.test('every promised metric has its labels and no others', async (t) => {
  const keys = join(t.testdir({ keys: `app:${hash('sha256', 'key')}\n` }), 'keys')
  const service = await startTestService(t, { settings: { AUTH: 'api-key', API_KEYS_FILE: keys } })
  t.match(await service.create({ phone: phoneFor('567') }, { authorization: 'Bearer key' }), { statusCode: 201 })
  const samples = await service.metrics()
  for (const [name, [, ...labels]] of Object.entries(promised)) {
    const seen = labelsOf(samples, name)
    t.ok(seen.length > 0, `${name} has samples`)
    t.strictSame(new Set(seen.map((each) => each.join())), new Set([labels.join()]), name)
  }
})

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined
const skip = hasPromtool ? false : 'promtool is not on the PATH; it comes with the Debian package prometheus'

t.test('Prometheus itself finds nothing to say against /metrics', { skip }, async (t) => {
  const service = await startTestService(t)
  await service.create({ phone: phoneFor('567') })
  const { text: input } = await call(`${service.opsUrl}/metrics`, 'GET', {})
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
  t.strictSame({ status, said: stdout + stderr }, { status: 0, said: '' })
})

t.test('each create moves the counter of what its caller was told', async (t) => {
  const service = await startTestService(t)
  const { create } = service
  await create({ phone: phoneFor('567') })
  await create({ phone: phoneFor('002') })
  await create({ phone: phoneFor('010') }, { prefer: 'respond-async' })
  await create({ phone: phoneFor('011') })
  await create({ phone: 'not a phone' })
  await create({ phone: phoneFor('567') }, { 'content-type': 'text/plain' })
  await call(`${service.url}/clients`, 'POST', { 'content-type': 'application/json' }, '{')
  const samples = await service.metrics()
  const counts = Object.fromEntries(
    outcomes.map((name) => [name, samples.get(`clients_create_total{outcome="${name}"}`)]),
  )
  t.strictSame(counts, {
    created: 1,
    processing: 1,
    unknown: 0,
    rejected: 1,
    invalid: 3,
    not_sent: 0,
    overloaded: 0,
    misconfigured: 1,
  })
  const partnerCalls = (labels: string) => samples.get(`partner_request_duration_seconds_count{${labels}}`)
  t.equal(partnerCalls('operation="add",result="ok"'), 2)
  t.equal(partnerCalls('operation="add",result="rejected"'), 1)
  t.equal(partnerCalls('operation="add",result="http_4xx"'), 2, 'sent once more with the credential read again')
  t.ok((partnerCalls('operation="status",result="ok"') ?? 0) > 0)
  t.equal(samples.get('partner_requests_in_flight'), 0)
})

t.test('requests are timed by route pattern, and no label holds what a caller sent', async (t) => {
  const service = await startTestService(t)
  const { body } = await service.create({ phone: phoneFor('567') })
  await service.get(`/clients/requests/${body.requestId}`)
  await service.get('/nowhere/at-all')
  await call(`${service.url}/clients`, 'PUT', {})
  const { text } = await call(`${service.opsUrl}/metrics`, 'GET', {})
  const requests = (labels: string) => new RegExp(`^http_request_duration_seconds_count\\{${labels}\\} 1$`, 'm')
  t.match(text, requests('method="POST",route="/clients",status_code="201"'))
  t.match(text, requests('method="GET",route="/clients/requests/:requestId",status_code="200"'))
  t.match(text, requests('method="GET",route="unmatched",status_code="404"'))
  t.match(text, requests('method="PUT",route="unmatched",status_code="405"'))
  t.notMatch(text, /nowhere|998901234/)
  t.notMatch(text, body.requestId)
})

for (const [phase, statusCode] of [
  ['starting', 503],
  ['ready', 200],
  ['draining', 503],
  ['closing', 503],
] as const) {
  t.test(`a process that is ${phase} answers /readyz with ${statusCode}, and is alive`, async (t) => {
    const ops = await startOps({ lifecycle: { phase } })
    const readiness = await ops.inject('/readyz')
    t.equal(readiness.statusCode, statusCode)
    t.match(readiness.json(), { status: statusCode === 200 ? 'ok' : 'unavailable', checks: { lifecycle: phase } })
    t.match(await ops.inject('/livez'), { statusCode: 200 })
  })
}

t.test('/readyz tells which check fails, also one that never ends', async (t) => {
  const ops = await startOps({
    checks: {
      fine: async () => 'whatever',
      gone: () => Promise.reject(new Error('secret address')),
      hanging: () => new Promise(() => {}),
    },
  })
  const answer = await ops.inject('/readyz')
  t.equal(answer.statusCode, 503)
  t.strictSame(answer.json(), {
    status: 'unavailable',
    checks: { lifecycle: 'ready', fine: 'ok', gone: 'unreachable', hanging: 'unreachable' },
  })
})

t.test('the running service is ready, its ledger with it', async (t) => {
  const { opsUrl } = await startTestService(t)
  const answer = await call(`${opsUrl}/readyz`, 'GET', {})
  t.match(answer, { statusCode: 200, body: { status: 'ok', checks: { lifecycle: 'ready', ledger: 'ok' } } })
})

t.test('anything else there is a problem, and the API is not there', async (t) => {
  const { opsUrl } = await startTestService(t)
  for (const path of ['/', '/clients', '/docs', '/metrics/more']) {
    const answer = await call(`${opsUrl}${path}`, 'GET', {})
    t.match(answer, { statusCode: 404, body: { code: 'not-found', type: '/problems/not-found' } }, path)
    t.match(answer.headers['content-type'], /^application\/problem\+json\b/)
  }
  t.match(await call(`${opsUrl}/metrics`, 'POST', {}), { statusCode: 405, headers: { allow: 'GET, HEAD' } })
})

t.test('operations are not on the public listener', async (t) => {
  const service = await startTestService(t)
  for (const path of ['/metrics', '/livez', '/readyz']) t.match(await service.get(path), { statusCode: 404 }, path)
})
