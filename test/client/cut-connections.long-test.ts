import { randomInt } from 'node:crypto'
import t from 'tap'
import { connect, type Outcome } from '../../client/index.ts'
import { createRandom } from '../chaos/random.ts'
import { startCuttingGateway } from '../fixtures/cutting-gateway.ts'
import { startTestService } from '../fixtures/service.ts'

t.test('1,000 intents through a gateway that cuts connections: 1,000 clients, no double', async (t) => {
  const seed = randomInt(2 ** 31)
  t.comment(`seed ${seed}`)
  const service = await startTestService(t, { settings: { REQUEST_DEADLINE_MS: '20000' } })
  const gateway = await startCuttingGateway(t, service.url, createRandom(seed).next)
  // A connection of its own for each request, so that each has its chance to be cut.
  const clients = connect({ baseUrl: gateway.url, headers: { connection: 'close' } })
  const outcomes: Outcome[] = []
  let next = 0
  const work = async () => {
    while (next < 1000) {
      const phone = `+9989012${String(10_000 + 567 + 1000 * (next % 10)).slice(-5)}`
      const body = { phone, externalUserId: `user-${next++}` }
      outcomes.push(await clients.create(body, { timeoutMs: 40_000 }))
    }
  }
  await Promise.all(Array.from({ length: 40 }, work))
  t.strictSame(
    outcomes.filter(({ status }) => status !== 'created'),
    [],
  )
  t.equal(outcomes.length, 1000)
  t.equal(new Set(outcomes.map((outcome) => ('requestId' in outcome ? outcome.requestId : ''))).size, 1000)
  t.equal(service.sandbox.clients().length, 1000, 'not one client too many')
  t.ok(
    Object.values(gateway.cuts).every((count) => count > 50),
    JSON.stringify(gateway.cuts),
  )
})
