import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { Pool } from 'undici'
import { type PartnerOfProgram, startPartner, startReady } from '../fixtures/program.ts'
import { call, phoneFor } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

const json = { 'content-type': 'application/json' }
const bodyFor = (scenario: string) => JSON.stringify({ phone: phoneFor(scenario) })
const createAt = (url: string) => call(`${url}/clients`, 'POST', json, bodyFor('567'))
const callsOf = ({ received }: PartnerOfProgram, operation: 'add' | 'status') =>
  received.filter(({ path }) => path.endsWith(`/${operation}`))

interface Reply {
  statusCode: number
  connection: unknown
  // biome-ignore lint/suspicious/noExplicitAny: a result or a problem
  body: any
}

/** Kept-alive connections, each for one create at a time. */
function openConnections(t: Test, url: string, connections: number) {
  const pool = new Pool(url, { connections })
  t.teardown(() => pool.destroy())
  return async (scenario: string, reset = false): Promise<Reply> => {
    const request = { path: '/clients', method: 'POST', headers: json, body: bodyFor(scenario), reset } as const
    const { statusCode, headers, body } = await pool.request(request)
    return { statusCode, connection: headers.connection, body: await body.json() }
  }
}

/** Sends one create after another, as a caller does that knows nothing of the end, until that fails. */
function createSteadily(create: () => Promise<Reply>) {
  const replies: Reply[] = []
  async function run(): Promise<string> {
    try {
      for (;;) replies.push(await create())
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error)
    }
  }
  return { replies, failed: run() }
}

t.test('SIGTERM under load cuts nothing that was sent', async (t) => {
  const partner = await startPartner(t, { timings: { processingMs: 1500 } })
  const { url, child, ended } = await startReady(t, { ...partner.settings, PARTNER_MAX_IN_FLIGHT: '1000' })

  const streams = Array.from({ length: 6 }, () => {
    const create = openConnections(t, url, 1)
    const createAnew = openConnections(t, url, 1)
    return [createSteadily(() => create('567')), createSteadily(() => createAnew('567', true))]
  }).flat()
  await until(() => streams.every(({ replies }) => replies.length >= 3))

  const createSlowly = openConnections(t, url, 100)
  const slow = Array.from({ length: 100 }, () => createSlowly('001'))
  await until(() => callsOf(partner, 'add').filter(({ scenario }) => scenario === '001').length === 100)
  child.kill()

  const replies = await Promise.all(slow)
  const answers = new Set(replies.map(({ statusCode, body }) => `${statusCode} ${body.status}`))
  t.strictSame([...answers], ['201 created'], 'each of the hundred in flight gets its real answer')
  t.equal(new Set(replies.map(({ body }) => body.clientId)).size, 100)

  const failures = await Promise.all(streams.map(({ failed }) => failed))
  t.strictSame([...new Set(failures)], ['ECONNREFUSED'], 'no established connection is cut')
  const streamed = streams.flatMap(({ replies }) => replies)
  const refused = streamed.filter(({ statusCode }) => statusCode !== 201)
  const told = new Set(refused.map(({ statusCode, connection, body }) => `${statusCode} ${body.code} ${connection}`))
  for (const answer of told) t.equal(answer, '503 overloaded close')
  t.comment(`${streamed.length} in the streams, ${refused.length} of them refused`)
  t.match(await ended, { code: 0, signal: null, errors: '' })
})

// Most of the time the others wait for another process.
t.jobs = 3

t.test(
  'in the pause before closing it is not ready any more, but takes requests as ever',
  { buffered: true },
  async (t) => {
    const partner = await startPartner(t)
    const { url, opsUrl, child, ended, logs } = await startReady(t, { ...partner.settings, SHUTDOWN_DELAY_MS: '2000' })
    const readiness = () => call(`${opsUrl}/readyz`, 'GET', {})
    t.equal((await readiness()).statusCode, 200)
    child.kill()
    await until(() => logs.some(({ msg }) => msg === 'stopping'))
    t.match(await readiness(), { statusCode: 503, body: { checks: { lifecycle: 'draining' } } })
    t.match(await createAt(url), { statusCode: 201 })
    t.equal((await call(`${opsUrl}/livez`, 'GET', {})).statusCode, 200)
    t.match(await ended, { code: 0, signal: null })
  },
)

t.test(
  'what a caller that hung up had asked for is brought to its end before the process exits',
  { buffered: true },
  async (t) => {
    const partner = await startPartner(t, { timings: { processingMs: 1500 } })
    const { url, child, ended, logged } = await startReady(t, partner.settings)
    const hangUp = new AbortController()
    const asked = fetch(`${url}/clients`, {
      method: 'POST',
      headers: json,
      body: bodyFor('001'),
      signal: hangUp.signal,
    })
    await until(() => callsOf(partner, 'add').length === 1)
    hangUp.abort()
    await t.rejects(asked)
    t.match(await logged('caller hung up'), { route: '/clients', statusCode: 499 })
    t.strictSame(partner.sandbox.clients(), [], 'the partner is still at work')
    child.kill()
    t.match(await ended, { code: 0, signal: null })
    const [client] = partner.sandbox.clients()
    t.ok(client, 'the client exists')
    const lastAskedAtMs = callsOf(partner, 'status').at(-1)?.atMs ?? 0
    t.ok(lastAskedAtMs >= Date.parse(client?.createdAt ?? ''), 'it went on asking until the outcome was final')
  },
)

t.test('requests that never arrive completely do not hold the process', { buffered: true }, async (t) => {
  const { url, child, ended } = await startReady(t)
  const { hostname, port } = new URL(url)
  const line = 'POST /clients HTTP/1.1\r\nHost: service\r\n'
  for (const bytes of [line, `${line}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{`]) {
    const socket = connect(Number(port), hostname).on('error', () => {})
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    socket.write(bytes)
  }
  // It is answered after the others have been read.
  t.match(await createAt(url), { statusCode: 201 })
  child.kill()
  t.match(await ended, { code: 0, signal: null })
})
