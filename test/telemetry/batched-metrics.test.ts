import { Registry } from 'prom-client'
import t from 'tap'
import { createBatchedCounter, createBatchedHistogram } from '../../src/telemetry/batched-metrics.ts'

const labelNames = ['route'] as const

t.test('every observation is there when somebody asks, and once, however many there are', async (t) => {
  const registers = [new Registry()]
  const { histogram, observe } = createBatchedHistogram({
    name: 'seconds',
    help: 'x',
    labelNames,
    buckets: [1],
    registers,
  })
  const countOf = async (route: string) => {
    const { values } = await histogram.get()
    return values.find(({ metricName, labels }) => metricName === 'seconds_count' && labels.route === route)?.value
  }
  for (let i = 0; i < 2000; i++) observe({ route: i % 2 === 0 ? 'even' : 'odd' }, i % 4)
  t.strictSame([await countOf('even'), await countOf('odd')], [1000, 1000])
  t.equal(await countOf('even'), 1000, 'asking again counts nothing twice')
  observe({ route: 'odd' }, 1)
  t.match(await registers[0]?.metrics(), 'seconds_count{route="odd"} 1001')
})

t.test('a counter has all its values from the start, and loses nothing between two looks', async (t) => {
  const registry = new Registry()
  const count = createBatchedCounter({ name: 'creates_total', help: 'x', registers: [registry] }, 'outcome', ['a', 'b'])
  t.match(await registry.metrics(), 'creates_total{outcome="a"} 0')
  for (let i = 0; i < 700; i++) count('b')
  t.match(await registry.metrics(), 'creates_total{outcome="b"} 700')
  count('b')
  const text = await registry.metrics()
  t.match(text, 'creates_total{outcome="b"} 701')
  t.match(text, 'creates_total{outcome="a"} 0')
})
