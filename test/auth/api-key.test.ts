import { hash, randomBytes } from 'node:crypto'
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createApiKeyAuthenticator, createKeyTable, parseApiKeys } from '../../src/auth/api-key.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { until } from '../fixtures/until.ts'

const digestOf = (key: string) => hash('sha256', key)
const lineOf = (caller: string, key: string) => `${caller}:${digestOf(key)}`

t.test('a file has a key in each line, and any number of keys for one caller', async (t) => {
  const text = [
    '# of the billing team',
    lineOf('billing-app', 'old'),
    '',
    `  ${lineOf('billing-app', 'new')} \r`,
    lineOf('system:serviceaccount:a:b', 'k8s'),
    lineOf('shouting', 'caps').replace(/[0-9a-f]{64}$/, (hex) => hex.toUpperCase()),
    '',
  ].join('\n')
  const findCaller = createKeyTable(parseApiKeys(text))
  t.equal(findCaller('old'), 'billing-app')
  t.equal(findCaller('new'), 'billing-app')
  t.equal(findCaller('k8s'), 'system:serviceaccount:a:b')
  t.equal(findCaller('caps'), 'shouting')
})

const faultyTexts: Record<string, [text: string, fault: RegExp]> = {
  'nothing at all': ['', /there is no key/],
  'comments alone': ['# soon\n', /there is no key/],
  'a key itself': ['billing-app:fpc_secret', /^line 1 /],
  'a short digest': [`billing-app:${digestOf('a').slice(1)}`, /^line 1 /],
  'a long digest': [`billing-app:${digestOf('a')}0`, /^line 1 /],
  'no caller': [`:${digestOf('a')}`, /^line 1 /],
  'a caller with a space': [`billing app:${digestOf('a')}`, /^line 1 /],
  'a name that is taken': [`anonymous:${digestOf('a')}`, /^line 1 /],
  'one key for two callers': [`${lineOf('a', 'k')}\n${lineOf('b', 'k')}`, /^line 2 gives the key of one caller/],
  'the digest of nothing': [`${lineOf('a', 'k')}\n\n${lineOf('b', '')}`, /^line 3 is the digest of an empty key/],
  'one bad line among good ones': [`${lineOf('a', 'k')}\nsecret-text\n${lineOf('b', 'l')}`, /^line 2 /],
}
for (const [name, [text, fault]] of Object.entries(faultyTexts)) {
  t.test(`a file with ${name} is faulty as a whole, and the fault quotes nothing`, async (t) => {
    t.throws(() => parseApiKeys(text), { name: 'SecretFault', message: fault })
    try {
      parseApiKeys(text)
    } catch (error) {
      t.notMatch((error as Error).message, /secret|[0-9a-f]{64}/)
    }
  })
}

t.test('only the whole key will do', async (t) => {
  const key = `fpc_${randomBytes(32).toString('base64url')}Aa`
  const findCaller = createKeyTable(parseApiKeys(`${lineOf('billing-app', key)}\n\n`))
  t.equal(findCaller(key), 'billing-app')
  const others = [
    key.slice(0, -1),
    key.slice(1),
    key.toLowerCase(),
    key.toUpperCase(),
    `${key} `,
    ` ${key}`,
    `${key}\n`,
    `${key}\0`,
    key + key,
    digestOf(key),
    `billing-app:${digestOf(key)}`,
    'billing-app',
    '',
    '__proto__',
    'constructor',
  ]
  for (const other of others) t.equal(findCaller(other), undefined, JSON.stringify(other))
})

t.test('each of 10,000 keys is its own caller’s', async (t) => {
  const keys = Array.from({ length: 10_000 }, (_, i) => ({ caller: `app-${i}`, digest: digestOf(`key-${i}`) }))
  const findCaller = createKeyTable(keys)
  let wrong = 0
  for (let i = 0; i < keys.length; i++) if (findCaller(`key-${i}`) !== `app-${i}`) wrong++
  t.equal(wrong, 0)
  t.equal(findCaller('key-10000'), undefined)
})

function open(t: Test, keysFile: string) {
  const logs: Record<string, unknown>[] = []
  const observed: boolean[] = []
  const authenticator = createApiKeyAuthenticator({
    keysFile,
    everyMs: 5,
    observe: (_secret, isRead) => void observed.push(isRead),
    log: createLogger('trace', { write: (line: string) => void logs.push(JSON.parse(line)) }),
  })
  t.teardown(() => authenticator.stop())
  const isTaken = (key: string) => {
    try {
      return authenticator.authenticate(key)
    } catch {
      return false
    }
  }
  return { isTaken, logs, observed }
}

t.test('a file that changes is read again, also where a symbolic link is swapped as Kubernetes does', async (t) => {
  const folder = t.testdir({
    one: lineOf('app', 'first'),
    two: `${lineOf('app', 'first')}\n${lineOf('app', 'second')}`,
  })
  symlinkSync('one', join(folder, 'keys'))
  const { isTaken, logs } = open(t, join(folder, 'keys'))
  t.equal(isTaken('first'), 'app')
  t.equal(isTaken('second'), false)
  symlinkSync('two', join(folder, 'next'))
  renameSync(join(folder, 'next'), join(folder, 'keys'))
  await until(
    () => isTaken('second'),
    (caller) => caller === 'app',
  )
  t.equal(isTaken('first'), 'app', 'both keys are good during a rotation')
  t.match(logs, [{ secret: 'API_KEYS_FILE', msg: /the new one is in use/ }])
})

t.test('a broken file keeps the old keys; it is logged once, and without what it holds', async (t) => {
  const folder = t.testdir({ keys: lineOf('app', 'first') })
  const file = join(folder, 'keys')
  const { isTaken, logs, observed } = open(t, file)
  const settle = async (isRead: boolean) => {
    const before = observed.length
    await until(
      () => observed.slice(before),
      (seen) => seen.length >= 3 && seen.at(-1) === isRead,
    )
  }
  writeFileSync(file, `${lineOf('app', 'second')}\nfpc_a-key-by-mistake\n`)
  await settle(false)
  t.equal(isTaken('first'), 'app')
  t.equal(isTaken('second'), false)
  t.match(logs, [{ level: 'error', secret: 'API_KEYS_FILE', fault: 'line 2 is not caller:sha256-hex' }])
  t.equal(logs.length, 1)

  rmSync(file)
  await settle(false)
  t.equal(isTaken('first'), 'app')
  t.match(logs[1], { fault: 'ENOENT' })

  writeFileSync(file, lineOf('app', 'second'))
  await settle(true)
  t.equal(isTaken('first'), false, 'a key that is gone is refused')
  t.equal(isTaken('second'), 'app')
  t.notMatch(JSON.stringify(logs), /by-mistake|[0-9a-f]{64}/)
})
