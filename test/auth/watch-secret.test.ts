import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { SecretFault, watchSecret } from '../../src/auth/watch-secret.ts'
import { createLogger } from '../../src/telemetry/logger.ts'

function watch(t: Test, read: () => string | Promise<string>, onChange: (text: string) => void) {
  const logs: Record<string, unknown>[] = []
  const observed: [string, boolean][] = []
  const watched = watchSecret('first', read, {
    name: 'SOME_SECRET_FILE',
    everyMs: 3_600_000,
    onChange,
    observe: (...told) => void observed.push(told),
    log: createLogger('trace', { write: (line: string) => void logs.push(JSON.parse(line)) }),
  })
  t.teardown(() => watched.stop())
  return { ...watched, logs, observed }
}

t.test('a text that is the same is no change, and a new one is handed over once', async (t) => {
  let text = 'first'
  const seen: string[] = []
  const { look, logs, observed } = watch(
    t,
    () => text,
    (changed) => void seen.push(changed),
  )
  t.equal(await look(), false)
  text = 'second'
  t.equal(await look(), true)
  t.equal(await look(), false)
  t.strictSame(seen, ['second'])
  t.match(logs, [{ level: 'info', secret: 'SOME_SECRET_FILE', msg: 'a secret has changed; the new one is in use' }])
  t.equal(logs.length, 1)
  t.strictSame(
    observed,
    Array.from({ length: 4 }, () => ['SOME_SECRET_FILE', true]),
  )
  t.notMatch(JSON.stringify(logs), /first|second/)
})

t.test('looks at the same time share one reading', async (t) => {
  let reads = 0
  const gate = Promise.withResolvers<string>()
  const read = () => {
    reads++
    return gate.promise
  }
  const { look } = watch(t, read, () => {})
  const looks = [look(), look(), look()]
  gate.resolve('second')
  t.strictSame(await Promise.all(looks), [true, true, true])
  t.equal(reads, 1)
})

t.test('a bad secret is told once for each fault, and tried again at every look', async (t) => {
  let read: () => string = () => 'bad'
  let tries = 0
  const { look, logs, observed } = watch(
    t,
    () => read(),
    (text) => {
      tries++
      if (text === 'bad') throw new SecretFault('the secret is too short')
    },
  )
  t.equal(await look(), false)
  t.equal(await look(), false)
  t.equal(tries, 2)
  t.match(logs, [
    {
      level: 'error',
      fault: 'the secret is too short',
      err: { type: 'SecretFault' },
      msg: 'a secret cannot be read; the old one stays',
    },
  ])
  t.equal(logs.length, 1)
  read = () => {
    throw Object.assign(new Error('canary /path'), { code: 'EACCES' })
  }
  await look()
  t.match(logs[1], { fault: 'EACCES' })
  read = () => {
    throw new Error('canary /path')
  }
  await look()
  t.match(logs[2], { fault: 'unreadable' })
  t.strictSame(
    observed.map(([, isRead]) => isRead),
    [true, false, false, false, false],
  )
  read = () => 'first'
  t.equal(await look(), false, 'the one that is in use all the time')
  t.equal(observed.at(-1)?.[1], true)
  read = () => 'bad'
  await look()
  t.equal(logs.length, 4, 'a fault that comes back is told again')
  t.notMatch(JSON.stringify(logs), /canary/)
})

t.test('a secret is looked at again and again until nobody needs it', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  let reads = 0
  const { look, stop } = watch(
    t,
    () => {
      reads++
      return 'first'
    },
    () => {},
  )
  for (const expected of [1, 2]) {
    mock.timers.tick(3_600_000)
    await look()
    t.equal(reads, expected)
  }
  stop()
  mock.timers.tick(3_600_000)
  t.equal(reads, 2)
})
