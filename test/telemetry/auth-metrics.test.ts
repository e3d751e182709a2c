import { Registry } from 'prom-client'
import t from 'tap'
import { isCallerName } from '../../src/auth/caller.ts'
import { createAuthMetrics } from '../../src/telemetry/auth-metrics.ts'

async function read(registry: Registry, name: string) {
  const metric = await registry.getSingleMetric(name)?.get()
  return new Map(metric?.values.map(({ labels, value }) => [Object.values(labels).join(' '), value]))
}

t.test('each request of a caller is counted by how it ended, however often that is asked', async (t) => {
  const registry = new Registry()
  const { countCaller } = createAuthMetrics(registry)
  for (const status of [200, 201, 202, 400, 404, 422, 429, 499, 500, 503]) countCaller('app', status)
  for (let i = 0; i < 2; i++) {
    t.strictSame(
      await read(registry, 'caller_requests_total'),
      new Map([
        ['app ok', 3],
        ['app invalid', 3],
        ['app rate_limited', 1],
        ['app failed', 2],
        ['app hung_up', 1],
      ]),
    )
  }
})

t.test('an issuer with any number of callers does not fill the memory', async (t) => {
  const registry = new Registry()
  const { countCaller } = createAuthMetrics(registry)
  for (let i = 0; i < 5000; i++) countCaller(`app-${i}`, 200)
  countCaller('app-0', 200)
  const counts = await read(registry, 'caller_requests_total')
  t.equal(counts.get('app-0 ok'), 2)
  t.equal(counts.get('app-999 ok'), 1)
  t.equal(counts.get('other callers ok'), 4000)
  t.notOk(isCallerName('other callers'), 'no caller shares the label of the rest')
  t.equal(counts.has('app-1000 ok'), false)
})

t.test('a reading that fails leaves the time of the last good one', async (t) => {
  const registry = new Registry()
  const { observeSecret } = createAuthMetrics(registry)
  const before = Date.now() / 1000
  observeSecret('A_FILE', true)
  const readAt = (await read(registry, 'secret_read_timestamp_seconds')).get('A_FILE') ?? 0
  t.ok(readAt >= before)
  observeSecret('A_FILE', false)
  observeSecret('A_FILE', false)
  t.equal((await read(registry, 'secret_read_timestamp_seconds')).get('A_FILE'), readAt)
  t.equal((await read(registry, 'secret_read_failed')).get('A_FILE'), 1)
  t.equal((await read(registry, 'secret_read_failures_total')).get('A_FILE'), 2)
  observeSecret('A_FILE', true)
  t.equal((await read(registry, 'secret_read_failed')).get('A_FILE'), 0)
})
