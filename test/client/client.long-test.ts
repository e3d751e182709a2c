import { readFileSync, statSync } from 'node:fs'
import t from 'tap'
import { connect, type Outcome } from '../../client/index.ts'
import { phoneFor, startTestService } from '../fixtures/service.ts'

/** What one hears of each scenario of the sandbox, within eight seconds. */
const told: Record<string, Partial<Outcome>> = {
  '567': { status: 'created' },
  '001': { status: 'created' },
  '002': { status: 'rejected' },
  '003': { status: 'created' },
  '004': { status: 'created' },
  '005': { status: 'unresolved', why: 'unknown' },
  '006': { status: 'unresolved', why: 'unknown' },
  '007': { status: 'created' },
  '008': { status: 'created' },
  '009': { status: 'created' },
  '010': { status: 'unresolved', why: 'processing' },
  '011': { status: 'unresolved', why: 'partner-misconfigured' },
  '012': { status: 'unresolved', why: 'unknown' },
  '013': { status: 'rejected' },
  '014': { status: 'created' },
  '015': { status: 'created' },
  '016': { status: 'created' },
  '017': { status: 'created', clientId: undefined },
}

t.test('the client tells the outcome of every scenario of the sandbox, and throws for none', async (t) => {
  const service = await startTestService(t, { settings: { REQUEST_DEADLINE_MS: '4000' } })
  const clients = connect({ baseUrl: `${service.url}/` })
  await Promise.all(
    Object.entries(told).map(async ([scenario, expected]) => {
      const outcome = await clients.create({ phone: phoneFor(scenario) }, { timeoutMs: 8000 })
      t.match(outcome, expected, scenario)
      if (outcome.status === 'created') {
        t.match(await clients.read(outcome.requestId), { status: 'created', clientId: outcome.clientId }, scenario)
      }
    }),
  )
})

t.test('a fault of the caller’s is told at once, with every place', async (t) => {
  const service = await startTestService(t)
  const clients = connect({ baseUrl: service.url })
  const outcome = await clients.create({ phone: '901234567' })
  t.match(outcome, { status: 'invalid', why: 'invalid-request', errors: [{ pointer: '/phone' }] })
  await clients.create({ phone: phoneFor('567') }, { key: 'k-1' })
  const reused = await clients.create({ phone: phoneFor('568') }, { key: 'k-1' })
  t.match(reused, { status: 'invalid', why: 'idempotency-key-reused', errors: [] })
  t.equal(await clients.read('7d1f0a52-3c9e-4b8a-9f61-2e5d8c7b4a90'), undefined)
  await t.rejects(clients.read('no-uuid'), { message: /400 invalid-request/ })
})

t.test('the key is the caller’s, or one that the outcome names, so that one can go on later', async (t) => {
  const service = await startTestService(t)
  const clients = connect({ baseUrl: service.url })
  const body = { phone: phoneFor('001') }
  const signal = AbortSignal.abort()
  const givenUp = await clients.create(body, { signal })
  t.match(givenUp, { status: 'unresolved', key: /^[0-9a-f-]{36}$/, why: /given up/ })
  t.equal(service.received.length, 0)
  const outcome = await clients.create(body, { key: givenUp.status === 'unresolved' ? givenUp.key : '' })
  t.equal(outcome.status, 'created')
  t.equal(service.sandbox.clients().length, 1)
})

t.test('nobody listens: unresolved when the time is up, and it says why', async (t) => {
  const clients = connect({ baseUrl: 'http://127.0.0.1:1' })
  const outcome = await clients.create({ phone: phoneFor('567') }, { key: 'k', timeoutMs: 700 })
  t.match(outcome, { status: 'unresolved', key: 'k', why: /^no answer: / })
})

t.test(
  'headers are asked for with every request, and a gateway’s own error page says nothing of the create',
  async (t) => {
    let count = 0
    const answers = [
      new Response('<html>', { status: 502 }),
      new Response('{"status":"created"}', { status: 201 }),
      new Response('{"code":"overloaded","safeToRetry":"yes"}', { status: 503, headers: { 'retry-after': '1' } }),
      new Response('{"requestId":"r-1","status":"created","clientId":"c-1"}', { status: 201 }),
    ]
    const sent: Headers[] = []
    const clients = connect({
      baseUrl: 'http://service/payments',
      headers: () => ({ authorization: `Bearer ${++count}` }),
      fetch: async (url, init) => {
        t.equal(url, 'http://service/payments/clients')
        sent.push(new Headers(init?.headers))
        return answers.shift() ?? Response.error()
      },
    })
    const startedMs = performance.now()
    const outcome = await clients.create({ phone: phoneFor('567') })
    t.strictSame(outcome, { status: 'created', requestId: 'r-1', clientId: 'c-1' })
    t.ok(performance.now() - startedMs > 950, 'Retry-After is honoured')
    t.strictSame(
      sent.map((headers) => headers.get('authorization')),
      ['Bearer 1', 'Bearer 2', 'Bearer 3', 'Bearer 4'],
    )
    t.equal(new Set(sent.map((headers) => headers.get('idempotency-key'))).size, 1, 'one key for all')
  },
)

t.test('the client is small, and depends on nothing', (t) => {
  t.ok(statSync('client/index.ts').size < 10_000)
  const source = readFileSync('client/index.ts', 'utf8')
  t.strictSame(
    [...source.matchAll(/from '([^']+)'/g)].map(([, name]) => name),
    ['./openapi.ts'],
  )
  t.notOk(JSON.parse(readFileSync('client/package.json', 'utf8')).dependencies)
  t.end()
})
