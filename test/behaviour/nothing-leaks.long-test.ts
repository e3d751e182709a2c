/**
 * Something unique in every member, header, key and secret, through every scenario of the sandbox and every problem, on every engine of
 * the ledger, at the level that logs most, and with handlers that throw what they hold: none of it comes out anywhere.
 */

import { hash } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { sandboxCredentials } from '../../src/sandbox/credentials.ts'
import { skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { rawRequest, sendRaw } from '../fixtures/raw-http.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'
import { type Answer, call, startTestService, type TestService } from '../fixtures/service.ts'

const address = (n: number) => ({
  country: 'UZB',
  postalCode: `canaryzip${n}`,
  city: `canarycity${n}`,
  street: `canarystreet${n}`,
  building: `canarybuilding${n}`,
})
const person = {
  type: 'individual',
  resident: true,
  firstName: 'Canaryfirst',
  lastName: 'Canarylast',
  middleName: 'Canarymiddle',
  birthDate: '1971-03-17',
  email: 'canarymail@canary.example',
  personId: 'canaryperson-7',
  document: Buffer.from('%PDF-1.7 canarydocument').toString('base64'),
  externalUserId: 'canaryuser-7',
  registrationAddress: address(1),
  residentialAddress: address(2),
  identification: { identifiedAt: '2021-11-13T07:23:59+05:00', identifiedBy: 'canaryoperator' },
}
const personWith = (scenario: string) => ({ phone: `+998975318${scenario}`, ...person })

const apiKey = 'fpc_canary-api-key'
const ledgerKey = 'canary-ledger-key'.padEnd(32, '-')
/** PostgreSQL names the Spanish of the Canary Islands. */
const canaries = [/canary(?! Islands)/i, /975318\d{3}/, /1971-03-17/, /2021-11-13/, /Y2FuYXJ5/, /sandbox-secret-key/]
const digests = [apiKey, ledgerKey, sandboxCredentials.secretKey].map((secret) => hash('sha256', secret))

function hasNone(t: Test, text: string, where: string): void {
  const found = canaries.flatMap((canary) => {
    const at = text.search(canary)
    return at < 0 ? [] : [text.slice(Math.max(0, at - 80), at + 40)]
  })
  t.strictSame(found, [], `nothing of it is in ${where}`)
  t.notOk(
    digests.some((digest) => text.includes(digest)),
    `no digest of a secret is in ${where}`,
  )
}

function makeFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'canary-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Where the ledger is, and the folder that holds all its bytes; undefined in memory. */
const engines: Record<string, { skip: string | false; start(t: Test): Promise<{ url: string; folder?: string }> }> = {
  memory: { skip: false, start: async () => ({ url: 'memory:' }) },
  SQLite: {
    skip: false,
    async start(t) {
      const folder = makeFolder(t)
      return { url: `sqlite:${join(folder, 'ledger.db')}`, folder }
    },
  },
  Redis: { skip: skipRedis, start: startRedis },
  PostgreSQL: {
    skip: skipPostgres,
    async start(t) {
      const { url, folder } = await startPostgres(t)
      // Any password will do there.
      return { url: Object.assign(new URL(url), { password: 'canary-password' }).href, folder }
    },
  },
}

/** Throws what a request brings, in the handlers of requests that ask for it, of any service that starts in this test. */
function throwOnDemand(t: Test): void {
  const onInstance = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('preHandler', async ({ headers, body }) => {
      if (headers['x-throws'] === undefined) return
      const text = JSON.stringify({ headers, body })
      throw Object.assign(new Error(text, { cause: new Error(text) }), { body, headers, detail: text })
    })
  }
  subscribe('fastify.initialization', onInstance)
  t.teardown(() => unsubscribe('fastify.initialization', onInstance))
}

const headersOf = (key: string): Record<string, string> => ({
  authorization: `Bearer ${apiKey}`,
  'idempotency-key': `canary-key-${key}`,
  cookie: 'session=canary',
  'user-agent': 'canary/1.0',
  'x-forwarded-for': 'canary',
  'x-canary': 'canary',
  tracestate: 'canary=1',
})

const scenarios = Array.from({ length: 17 }, (_, i) => String(i + 1).padStart(3, '0')).concat('567')

/** Every scenario: the create, its repetition at once, its repetition afterwards, the key with another body, the look-up. */
async function playScenarios(service: TestService): Promise<Answer[]> {
  const play = async (scenario: string) => {
    const create = (body: object) => service.create(body, headersOf(scenario))
    const answers = await Promise.all([create(personWith(scenario)), create(personWith(scenario))])
    answers.push(await create(personWith(scenario)))
    answers.push(await create({ ...personWith(scenario), firstName: 'Canaryother' }))
    const requestId = answers.find(({ body }) => body?.requestId !== undefined)?.body.requestId
    answers.push(await service.get(`/clients/requests/${requestId}?canary=canary`, headersOf(scenario)))
    return answers
  }
  return (await Promise.all(scenarios.map(play))).flat()
}

async function playProblems(service: TestService): Promise<Answer[]> {
  const as = headersOf('problems')
  const json = { ...as, 'content-type': 'application/json' }
  const url = `${service.url}/clients`
  const text = JSON.stringify(personWith('567'))
  const wrong = Object.fromEntries(Object.keys(personWith('567')).map((name) => [name, 'canary\u0001']))
  return [
    await service.create(wrong, as),
    await service.create({ ...personWith('567'), unknownMember: 'canary' }, as),
    await call(url, 'POST', json, text.slice(0, -9)),
    await service.create(personWith('567'), { ...as, 'idempotency-key': 'canary canary' }),
    await service.create(personWith('567'), { ...as, authorization: 'Bearer canary' }),
    await service.create(personWith('567'), { ...as, authorization: `Basic ${apiKey}` }),
    await service.create(personWith('567'), { ...as, 'x-throws': 'canary' }),
    await service.get('/clients/requests/canary', as),
    await service.get('/clients/requests/7d1f0a52-3c9e-4b8a-9f61-2e5d8c7b4a90', { ...as, 'x-throws': 'canary' }),
    await service.get('/problems?canary', { ...as, 'x-throws': 'canary' }),
    await service.get('/canary', as),
    await call(`${url}?canary`, 'PUT', json, text),
    await call(url, 'POST', { ...json, 'content-type': 'text/canary' }, text),
    await call(url, 'POST', { ...json, 'content-encoding': 'canary' }, text),
    await service.create({ ...personWith('567'), document: 'canary'.repeat(700_000) }, as),
    await call(`${service.opsUrl}/metrics`, 'GET', { ...as, 'x-throws': 'canary' }),
    await call(`${service.opsUrl}/canary`, 'GET', as),
  ]
}

const settings = {
  REQUEST_DEADLINE_MS: '3000',
  CREATE_WAIT_MS: '1000',
  PARTNER_TIMEOUT_MS: '600',
  PARTNER_ABSENT_MS: '500',
  PARTNER_DOUBT_MS: '500',
  AUTH: 'api-key',
  LEDGER_KEY: ledgerKey,
}

for (const [name, { skip, start }] of Object.entries(engines)) {
  t.test(`with the ledger in ${name}`, { skip, timeout: 180_000 }, async (t) => {
    const { url, folder } = await start(t)
    throwOnDemand(t)
    const keysFile = join(t.testdir({ keys: `billing:${hash('sha256', apiKey)}\n` }), 'keys')
    const own = { ...settings, LEDGER_URL: url, API_KEYS_FILE: keysFile }
    const service = await startTestService(t, { settings: own, level: 'trace' })

    const answers = [...(await playScenarios(service)), ...(await playProblems(service))]
    const statusCodes = new Set(answers.map(({ statusCode }) => statusCode))
    for (const wanted of [200, 201, 202, 400, 401, 404, 405, 413, 415, 422, 500, 502]) {
      t.ok(statusCodes.has(wanted), `there was a ${wanted}`)
    }
    const raw = await sendRaw(service.url, rawRequest('GET /canary%zz', ['Content-Length: canary'], 'canary'))
    const pages = ['/docs', '/openapi.json', '/problems', '/problems/invalid-request']
    for (const page of pages) answers.push(await service.get(page, headersOf('pages')))
    hasNone(t, JSON.stringify([answers.map(({ headers, text }) => [headers, text]), raw]), 'any answer')
    hasNone(t, (await call(`${service.opsUrl}/metrics`, 'GET', {})).text, 'the metrics')
    await service.stop()

    const limited = await startTestService(t, { settings: { ...own, CALLER_RATE_PER_MINUTE: '1' }, level: 'trace' })
    const refused = [1, 2].map(() => limited.create(personWith('567'), headersOf('limited')))
    const last = (await Promise.all(refused)).find(({ statusCode }) => statusCode === 429)
    hasNone(t, last?.text ?? 'canary: no 429', 'the 429')
    await limited.stop()

    t.ok(service.logs.length > scenarios.length)
    hasNone(t, JSON.stringify([service.logs, limited.logs]), 'any line')
    hasNone(t, process.title, 'the title of the process')
    const files = folder === undefined ? [] : readdirSync(folder, { recursive: true, withFileTypes: true })
    const texts = files
      .filter((file) => file.isFile())
      .map((file) => readFileSync(join(file.parentPath, file.name), 'latin1'))
    t.equal(
      texts.some((text) => text.includes('billing')),
      folder !== undefined,
      'the bytes are those of the ledger',
    )
    hasNone(t, texts.join('\n'), 'any byte of the ledger')
  })
}
