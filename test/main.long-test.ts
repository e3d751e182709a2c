import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { startPartner, startProgram, startReady } from './fixtures/program.ts'
import { call, phoneFor } from './fixtures/service.ts'
import { until } from './fixtures/until.ts'

const createAt = (url: string) =>
  call(`${url}/clients`, 'POST', { 'content-type': 'application/json' }, JSON.stringify({ phone: phoneFor('567') }))

// Most of the time these wait for another process.
t.jobs = 3

t.test(
  'without any settings it starts the sandbox, says so first, and on every answer',
  { buffered: true },
  async (t) => {
    const startedAt = performance.now()
    const { url, child, logs, ended } = await startReady(t)
    t.comment(`ready after ${Math.round(performance.now() - startedAt)} ms, seen from outside`)
    t.match(logs[0], { level: 'warn', partner: 'sandbox', msg: /sandbox.*no real clients/ })
    t.match(await createAt(url), { statusCode: 201, body: { status: 'created' }, headers: { 'x-partner': 'sandbox' } })
    t.match(await call(`${url}/nowhere`, 'GET', {}), { statusCode: 404, headers: { 'x-partner': 'sandbox' } })
    child.kill('SIGINT')
    t.match(await ended, { code: 0, signal: null, errors: '' })
    t.equal(logs.at(-1)?.msg, 'stopped')
  },
)

t.test(
  'in production it starts no sandbox, but refuses and names the three settings that are missing',
  { buffered: true },
  async (t) => {
    const { ended, logs } = startProgram(t, { NODE_ENV: 'production', AUTH: 'none' })
    const { code, errors } = await ended
    t.equal(code, 78)
    t.match(errors, /FREEDOMPAY_AUTH_ID.*FREEDOMPAY_SECRET_KEY.*FREEDOMPAY_PRODUCT_ID/s)
    t.strictSame(logs, [], 'nothing was started')
  },
)

t.test('all faulty settings are named at once, and no value is printed', { buffered: true }, async (t) => {
  const faulty = {
    PORT: 'port-of-call',
    LOG_LEVEL: 'chatty',
    FREEDOMPAY_REGION: 'atlantis',
    REQUEST_DEADLINE_MS: '-25',
    FREEDOMPAY_AUTH_ID: 'id-of-the-test',
    FREEDOMPAY_SECRET_KEY: 'secret-of-the-test',
    FREEDOMPAY_SECRET_KEY_FILE: '/secret/of/the-test',
    DOCS: 'perhaps',
  }
  const { code, errors, printed } = await startProgram(t, faulty).ended
  t.equal(code, 78)
  const { FREEDOMPAY_AUTH_ID: _, ...named } = faulty
  for (const name of [...Object.keys(named), 'FREEDOMPAY_PRODUCT_ID']) t.match(errors, new RegExp(`\\b${name}\\b`))
  for (const value of Object.values(faulty)) t.notOk(printed.includes(value))
})

t.test('a secret may come from a file, and is never printed', { buffered: true }, async (t) => {
  const credentials = { authId: '123456', secretKey: 'a-secret-from-a-file' }
  const partner = await startPartner(t, { credentials })
  const { FREEDOMPAY_SECRET_KEY: secretKey, ...settings } = partner.settings
  const folder = t.testdir({ secret: `${secretKey}\n` })
  const program = await startReady(t, {
    ...settings,
    FREEDOMPAY_SECRET_KEY_FILE: join(folder, 'secret'),
    LOG_LEVEL: 'trace',
  })
  const created = await createAt(program.url)
  t.match(created, { statusCode: 201, body: { status: 'created' } })
  t.notOk('x-partner' in created.headers, 'this one may be the real one')
  program.child.kill()
  const { code, printed } = await program.ended
  t.equal(code, 0)
  t.notMatch(printed, credentials.secretKey)
})

t.test('a file that cannot be read is a fault that names its setting', { buffered: true }, async (t) => {
  const file = join(t.testdir(), 'absent')
  const { code, errors } = await startProgram(t, { FREEDOMPAY_SECRET_KEY_FILE: file }).ended
  t.equal(code, 78)
  t.match(errors, /FREEDOMPAY_SECRET_KEY_FILE .*ENOENT/)
})

t.test(
  'in production an unreadable address of the ledger is one fault among the others',
  { buffered: true },
  async (t) => {
    const settings = { NODE_ENV: 'production', LEDGER_URL_FILE: join(t.testdir(), 'absent') }
    const { code, errors } = await startProgram(t, settings).ended
    t.equal(code, 78)
    t.match(errors, /^The settings are faulty:\n(- .*\n)+$/, 'no stack')
    for (const name of ['LEDGER_URL_FILE', 'LEDGER_KEY', 'AUTH', 'FREEDOMPAY_AUTH_ID']) t.match(errors, `- ${name} `)
  },
)

for (const setting of ['PORT', 'OPS_PORT']) {
  t.test(`it exits 1 and says why when ${setting} is taken`, { buffered: true }, async (t) => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    t.teardown(() => other.close())
    const { port } = other.address() as AddressInfo
    const program = startProgram(t, { [setting]: String(port) })
    t.match(await program.ended, { code: 1, signal: null })
    t.match(program.logs.at(-1), { level: 'fatal', msg: 'cannot start', err: { code: 'EADDRINUSE', port } })
  })
}

for (const signal of ['SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV'] as const) {
  t.test(`it dies of ${signal}, as of every fault of the hardware's`, { buffered: true }, async (t) => {
    const { child, ended, logs } = await startReady(t)
    child.kill(signal)
    t.match(await ended, { code: null, signal })
    t.equal(logs.at(-1)?.msg, 'ready', 'it does not stop by itself')
  })
}

t.test('a signal that comes while it starts stops it as well', { buffered: true }, async (t) => {
  const { child, logs, ended } = startProgram(t)
  await until(() => logs.length > 0)
  child.kill()
  t.match(await ended, { code: 0, signal: null })
  t.equal(logs.at(-1)?.msg, 'stopped')
})
