import t from 'tap'
import { call, phoneFor, startTestService } from '../fixtures/service.ts'

const mebibyte = 1024 * 1024
const brackets = '['.repeat(3 * mebibyte)
const callers = 8
/** At 16 MiB a second the last of them waits for the seven before. */
const lastAfterMs = (1000 / 16) * 3 * (callers - 1)
/** A timer may fire within the millisecond before its time. */
const timerErrorMs = 2

function refuseAll(url: string) {
  const headers = { 'content-type': 'application/json' }
  return Array.from({ length: callers }, () => call(`${url}/clients`, 'POST', headers, brackets))
}

t.test('hostile JSON is refused at a pace, and creates are not', async (t) => {
  const service = await startTestService(t)
  const startedAt = performance.now()
  const refusing = refuseAll(service.url)
  const first = await Promise.race(refusing)
  t.match(first, { statusCode: 400, body: { code: 'invalid-request', errors: [{ pointer: '' }] } })
  const created = await service.create({ phone: phoneFor('567') })
  t.equal(created.statusCode, 201)
  for (const { statusCode, body } of await Promise.all(refusing)) {
    t.equal(statusCode, 400)
    t.strictSame(body.errors, first.body.errors)
  }
  t.ok(performance.now() - startedAt >= lastAfterMs - timerErrorMs, 'one after the other')
  t.equal(service.received.filter(({ path }) => path.endsWith('/add')).length, 1)
})

t.test('a service that stops gives the refusals that it holds', async (t) => {
  const service = await startTestService(t)
  const refusing = refuseAll(service.url)
  await Promise.race(refusing)
  const stopping = service.stop()
  const statuses = (await Promise.all(refusing)).map(({ statusCode }) => statusCode)
  t.strictSame(statuses, Array(callers).fill(400))
  await stopping
})
