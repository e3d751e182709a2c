import { randomInt } from 'node:crypto'
import t from 'tap'
import { startTestService } from '../fixtures/service.ts'
import { runFuzz } from './fuzz.ts'

t.test('whatever comes over a connection, each answer is whole and only valid creates reach the partner', async (t) => {
  const seed = randomInt(2 ** 30)
  t.comment(`seed ${seed}: npm run fuzz -- --seconds 20 --seed ${seed}`)
  const service = await startTestService(t, { settings: { PARTNER_MAX_IN_FLIGHT: '1000' } })
  const receivedPhones = () =>
    service.received
      .filter(({ path }) => path.endsWith('/add'))
      .map(({ body }) => `+${(body.client as { phone: number }).phone}`)
  const { faults, ...counts } = await runFuzz({ url: service.url, receivedPhones }, { seconds: 20, seed })
  t.comment(JSON.stringify(counts))
  t.strictSame(faults, [])
  t.strictSame(
    service.logs.filter(({ level }) => level === 'error' || level === 'fatal'),
    [],
  )
  t.ok(counts.creates > 0)
})
