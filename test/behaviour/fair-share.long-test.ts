import { hash } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readProblem } from '../fixtures/raw-http.ts'
import { phoneFor, startTestService } from '../fixtures/service.ts'
import { createGate, replies, startStandIn } from '../fixtures/stand-in-partner.ts'

const floodPhone = phoneFor('700')
const body = { phone: phoneFor('567') }
const as = (caller: string, headers: Record<string, string> = {}) => ({
  authorization: `Bearer ${caller}-key`,
  ...headers,
})

/** FreedomPay answers no create of the flood before the gate is open. */
async function start(t: Test) {
  const gate = createGate()
  const partner = await startStandIn(t, {
    async add({ client }) {
      if (`+${client?.phone}` === floodPhone) await gate.passed
      return replies.success
    },
  })
  const keys = ['flood', 'shop'].map((caller) => `${caller}:${hash('sha256', `${caller}-key`)}\n`).join('')
  const service = await startTestService(t, {
    partnerUrl: partner.url,
    settings: {
      AUTH: 'api-key',
      API_KEYS_FILE: join(t.testdir({ keys }), 'keys'),
      PARTNER_MAX_IN_FLIGHT: '4',
      PARTNER_TIMEOUT_MS: '20000',
      REQUEST_DEADLINE_MS: '30000',
    },
  })
  const flood = (count: number) =>
    Array.from({ length: count }, () => service.create({ phone: floodPhone }, as('flood')))
  return { gate, partner, service, flood }
}

/** Statuses of those that are answered while the first `held` of the flood are not. */
async function answered(flood: ReturnType<Awaited<ReturnType<typeof start>>['flood']>, held: number) {
  const statusCodes: number[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const answer of flood) {
    void answer.then(({ statusCode }) => {
      statusCodes.push(statusCode)
      if (statusCodes.length === flood.length - held) resolve()
    })
  }
  await promise
  return statusCodes
}

t.test('while another caller is active, one that floods the service leaves it half of the places', async (t) => {
  const { gate, partner, service, flood } = await start(t)
  const key = { 'idempotency-key': 'k' }
  t.equal((await service.create(body, as('shop', key))).statusCode, 201)
  const flooding = flood(12)
  await partner.received(3)
  t.strictSame(new Set(await answered(flooding, 2)), new Set([503]))
  t.equal(partner.adds.length, 3, 'two of the flood were sent')
  for (let i = 0; i < 5; i++) t.equal((await service.create(body, as('shop'))).statusCode, 201)
  const refused = readProblem(t, await service.create(body, as('flood')), 503, 'overloaded')
  t.equal(refused.safeToRetry, 'yes')
  gate.open()
  const ended = (await Promise.all(flooding)).map(({ statusCode }) => statusCode)
  t.equal(ended.filter((statusCode) => statusCode === 201).length, 2)
})

t.test('a caller that is alone gets all places, and one that comes second the first that are free', async (t) => {
  const { gate, partner, service, flood } = await start(t)
  const key = { 'idempotency-key': 'k' }
  t.equal((await service.create(body, as('flood', key))).statusCode, 201)
  const flooding = flood(4)
  await partner.received(5)
  t.match(readProblem(t, await service.create(body, as('shop')), 503, 'overloaded'), { safeToRetry: 'yes' })
  const replayed = await service.create(body, as('flood', key))
  t.equal(replayed.headers['idempotency-status'], 'replayed', 'a finished key needs no place')
  gate.open()
  for (const { statusCode } of await Promise.all(flooding)) t.equal(statusCode, 201)
  t.equal((await service.create(body, as('shop'))).statusCode, 201)
})

const credential = (caller: string) => `Authorization: Bearer ${caller}-key\r\n`

/** All in one write, so that they are a flood on a slow machine too. Resolves once each has its answer. */
async function askAtOnce(url: string, count: number): Promise<void> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(`GET /none HTTP/1.1\r\nHost: x\r\n${credential('flood')}\r\n`.repeat(count))
  let answers = ''
  for await (const bytes of socket) {
    answers += bytes
    if (answers.split('HTTP/1.1 404 ').length > count) break
  }
  if (answers.split('HTTP/1.1 404 ').length <= count) throw new Error('the connection ended before the last answer')
}

t.test('while another caller is active, one that floods the service gets its refusals late', async (t) => {
  const { service } = await start(t)
  await service.create(body, as('shop'))
  const startedAt = performance.now()
  await askAtOnce(service.url, 400)
  t.ok(performance.now() - startedAt >= 1000)
  const asking = askAtOnce(service.url, 400)
  t.equal((await service.create(body, as('shop'))).statusCode, 201)
  await service.stop()
  await asking
})

/** A create with a large body that does not come: true if the service asks for the body. */
async function announceBody(t: Test, url: string, caller: string): Promise<boolean> {
  const headers = { ...as(caller), 'content-type': 'application/json', 'content-length': '200000' }
  const sent = request(`${url}/clients`, { method: 'POST', headers: { ...headers, expect: '100-continue' } })
  t.teardown(() => sent.destroy())
  sent.on('error', () => {})
  sent.flushHeaders()
  return await Promise.race([once(sent, 'continue').then(() => true), once(sent, 'response').then(() => false)])
}

t.test('a caller that is slow to send large bodies leaves another half of the places for them', async (t) => {
  const { service } = await start(t)
  const document = Buffer.concat([Buffer.from('%PDF-'), Buffer.alloc(200_000)]).toString('base64')
  t.equal((await service.create({ ...body, document }, as('shop'))).statusCode, 201)
  const isAsked = []
  for (let i = 0; i < 5; i++) isAsked.push(await announceBody(t, service.url, 'flood'))
  t.strictSame(isAsked, [true, true, false, false, false])
  t.equal((await service.create({ ...body, document }, as('shop'))).statusCode, 201)
})

t.test('a request behind an ambiguous one is not carried out, however much its caller floods', async (t) => {
  const { partner, service } = await start(t)
  await service.create(body, as('shop'))
  const sent = partner.adds.length
  const json = JSON.stringify({ phone: phoneFor('568') })
  const { hostname, port } = new URL(service.url)
  const socket = connect(Number(port), hostname)
  socket.resume()
  socket.write(`GET /none HTTP/1.1\r\nHost: x\r\n${credential('flood')}\r\n`.repeat(400))
  socket.write(`GET /none HTTP/1.1\r\nHost: x\r\nHost: y\r\n${credential('flood')}\r\n`)
  socket.write(
    `POST /clients HTTP/1.1\r\nHost: x\r\n${credential('flood')}Content-Type: application/json\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
  )
  await once(socket, 'close')
  t.equal(partner.adds.length, sent)
})
