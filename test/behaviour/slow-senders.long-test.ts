import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { phoneFor, startTestService } from '../fixtures/service.ts'

/** The settings in the code, and how much later a slow caller may be cut. */
const headersMs = 10_000
const bodyMs = 30_000
const toleranceMs = 5000
const senders = 500

const partOfHeaders = 'POST /clients HTTP/1.1\r\nHost: x\r\nX-Slow: '
const partOfBody =
  'POST /clients HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{'

/** Sends a beginning, and a byte now and then; resolves with the answer and when it came. */
function sendSlowly(url: string, beginning: string): Promise<{ answer: string; ms: number }> {
  const { hostname, port } = new URL(url)
  const startedAt = performance.now()
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(Number(port), hostname)
    socket.write(beginning)
    const writing = setInterval(() => socket.write(' '), 2000)
    socket.on('data', (chunk: Buffer) => {
      answer += chunk
    })
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      clearInterval(writing)
      resolve({ answer, ms: performance.now() - startedAt })
    })
  })
}

t.test('slow senders are cut in time, each with an answer, and disturb nobody', { timeout: 55_000 }, async (t) => {
  const service = await startTestService(t)
  let areSlow = true
  const slow = Promise.all(
    Array.from({ length: senders }, (_, i) => sendSlowly(service.url, i % 2 === 0 ? partOfHeaders : partOfBody)),
  )
  const done = slow.then(() => {
    areSlow = false
  })
  let creates = 0
  while (areSlow) {
    t.equal((await service.create({ phone: phoneFor('567') })).statusCode, 201)
    creates++
    await Promise.race([done, pause(500)])
  }
  const ended = await slow
  t.ok(ended.every(({ answer }) => answer.startsWith('HTTP/1.1 408 ')))
  const latest = (isBody: boolean) => Math.max(...ended.filter((_, i) => (i % 2 === 1) === isBody).map(({ ms }) => ms))
  t.comment(`headers cut after ${latest(false).toFixed()} ms, bodies after ${latest(true).toFixed()} ms at the latest`)
  t.ok(latest(false) < headersMs + toleranceMs)
  t.ok(latest(true) < bodyMs + toleranceMs)
  t.ok(ended.every(({ ms }, i) => ms >= (i % 2 === 1 ? bodyMs : headersMs) - 100))
  t.ok(creates > 30, 'creates went on all the time')
})
