import t, { type Test } from 'tap'
import { request } from 'undici'
import { rawRequest, sendRawOnce } from '../fixtures/raw-http.ts'
import { call, phoneFor, startTestService, type TestService } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

/** How often a request was observed with these labels, once it is at least once. */
function observations(service: TestService, method: string, route: string, statusCode: number): Promise<number> {
  const name = `http_request_duration_seconds_count{method="${method}",route="${route}",status_code="${statusCode}"}`
  return until(
    async () => (await service.metrics()).get(name) ?? 0,
    (count) => count > 0,
  )
}

t.test('every request is one observation, by pattern and never by path', async (t) => {
  const service = await startTestService(t)
  await service.create({ phone: phoneFor('567') })
  await service.create({ phone: 'canary' })
  await service.get('/clients/requests/canary?canary=canary')
  await service.get('/canary')
  await call(`${service.url}/clients`, 'PUT', {})
  for (const method of ['PROPFIND', 'M-SEARCH']) await sendRawOnce(t, service.url, rawRequest(`${method} /canary`))
  t.equal(await observations(service, 'POST', '/clients', 201), 1)
  t.equal(await observations(service, 'POST', '/clients', 400), 1)
  t.equal(await observations(service, 'GET', '/clients/requests/:requestId', 400), 1)
  t.equal(await observations(service, 'GET', 'unmatched', 404), 1)
  t.equal(await observations(service, 'PUT', 'unmatched', 405), 1)
  t.equal(
    await observations(service, 'other', 'unmatched', 404),
    2,
    'a method that no route has is the word of its caller',
  )
  const { text } = await call(`${service.opsUrl}/metrics`, 'GET', {})
  t.notMatch(text, /canary|PROPFIND|M-SEARCH/)
})

/** Starts a create and leaves once the partner has it. */
async function hangUp(t: Test, service: TestService): Promise<void> {
  const leaving = new AbortController()
  const body = JSON.stringify({ phone: phoneFor('001') })
  const headers = { 'content-type': 'application/json' }
  const options = { method: 'POST', headers, body, reset: true, signal: leaving.signal } as const
  const answer = request(`${service.url}/clients`, options)
  await until(
    () => service.received.length,
    (calls) => calls > 0,
  )
  leaving.abort()
  await t.rejects(answer)
}

t.test('a caller that hangs up is observed and logged as one that did, and its client is created', async (t) => {
  const service = await startTestService(t)
  await hangUp(t, service)
  t.equal(await observations(service, 'POST', '/clients', 499), 1)
  const lines = service.logs.filter(({ reqId }) => reqId !== undefined)
  t.match(lines, [{ level: 'info', msg: 'caller hung up', method: 'POST', route: '/clients', statusCode: 499 }])
  t.equal(lines.length, 1)
  await until(
    () => service.sandbox.clients().length,
    (clients) => clients === 1,
  )
})

t.test('the line of a request says how long it took', async (t) => {
  const service = await startTestService(t)
  await service.create({ phone: phoneFor('567') })
  await until(
    () => service.logs.filter(({ msg }) => msg === 'request').length,
    (lines) => lines === 1,
  )
  const line = service.logs.find(({ msg }) => msg === 'request')
  t.match(line, { method: 'POST', route: '/clients', statusCode: 201, durationMs: Number, requestId: String })
  t.ok(Number(line?.durationMs) >= 0)
})
