import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fastify } from 'fastify'
import t from 'tap'
import { ConfigError, loadConfig } from '../../src/config/load.ts'
import { faultsOf } from '../fixtures/faults-of.ts'

const secret = 'secret-key-of-the-test'
const ledgerKey = 'ledger-key-of-the-test-with-32-bytes'
const credentials = {
  FREEDOMPAY_AUTH_ID: '123456',
  FREEDOMPAY_SECRET_KEY: secret,
  FREEDOMPAY_PRODUCT_ID: '1000',
}

t.test('without any settings it is the sandbox, with every default', async (t) => {
  const { readCredentials, readLedgerKey, ...config } = loadConfig({})
  t.equal(readCredentials, undefined)
  t.equal(readLedgerKey(), undefined, 'derived from the secret key')
  t.match(config, {
    host: '127.0.0.1',
    port: 3000,
    opsPort: 3001,
    logLevel: 'info',
    region: 'uz',
    partnerOrigin: undefined,
    signature: 'jws',
    productId: 1000,
    branchId: undefined,
    allowedProductIds: new Set([1000]),
    allowedBranchIds: new Set(),
    alsoRequired: [],
    codes: { duplicate: new Set(['1002']), notFound: new Set(['1006']) },
    requestDeadlineMs: 25_000,
    createWaitMs: 5000,
    partnerConnectTimeoutMs: 3000,
    partnerTimeoutMs: 15_000,
    partnerSettleMs: 2000,
    partnerAbsentMs: 60_000,
    partnerDoubtMs: 60_000,
    mayResend: true,
    partnerMaxInFlight: 64,
    partnerMaxWaiting: 2000,
    reconcilerConcurrency: 16,
    auth: { kind: 'none' },
    callerRatePerMinute: 0,
    needsIdempotencyKey: false,
    trustProxy: false,
    docs: 'try',
    shutdownDelayMs: 0,
    tracing: { collector: undefined, sampledShare: 1, reachesPartner: false },
  })
})

for (const [region, partnerOrigin, signature] of [
  ['uz', 'https://api.freedompay.uz', 'jws'],
  ['kz', 'https://api.freedompay.kz', 'jws'],
  ['kg', 'https://api.freedompay.kg', 'sign'],
] as const) {
  t.test(`the host and the signature of ${region} are its defaults, and may be others`, async (t) => {
    const settings = { ...credentials, FREEDOMPAY_REGION: region }
    t.match(loadConfig(settings), { region, partnerOrigin, signature })
    const others = {
      FREEDOMPAY_BASE_URL: 'http://test-host:8080/',
      FREEDOMPAY_SIGNATURE: signature === 'jws' ? 'sign' : 'jws',
    }
    t.match(loadConfig({ ...settings, ...others }), {
      partnerOrigin: 'http://test-host:8080',
      signature: others.FREEDOMPAY_SIGNATURE,
    })
  })
}

t.test('the sandbox takes the place of the partner only where nothing at all was said about it', async (t) => {
  const all = ['FREEDOMPAY_AUTH_ID', 'FREEDOMPAY_SECRET_KEY', 'FREEDOMPAY_PRODUCT_ID']
  const missing = (settings: Record<string, string>) => faultsOf(settings).map((fault) => fault.split(' ')[0])
  t.strictSame(missing({ NODE_ENV: 'production', AUTH: 'none' }), [...all, 'LEDGER_URL'])
  t.strictSame(missing({ FREEDOMPAY_BASE_URL: 'http://localhost:4010' }), all)
  t.strictSame(missing({ FREEDOMPAY_AUTH_ID: '1' }), ['FREEDOMPAY_SECRET_KEY', 'FREEDOMPAY_PRODUCT_ID'])
  t.strictSame(missing({ FREEDOMPAY_SECRET_KEY: secret }), ['FREEDOMPAY_AUTH_ID', 'FREEDOMPAY_PRODUCT_ID'])
  t.strictSame(missing({ FREEDOMPAY_PRODUCT_ID: '2000' }), [], 'a product says nothing about the partner')
  t.strictSame(missing({ FREEDOMPAY_AUTH_ID: '', FREEDOMPAY_BASE_URL: '', NODE_ENV: '' }), [], 'empty is absent')
})

const notInteger = [' ', 'x', '1.5', '0x10', '1e3', '-1']
const faulty: Record<string, string[]> = {
  HOST: ['999.1.1.1', 'localhost:3000'],
  PORT: ['65536', ...notInteger],
  OPS_PORT: ['65536', ...notInteger],
  LOG_LEVEL: ['verbose', 'INFO'],
  FREEDOMPAY_REGION: ['ru', 'UZ', 'toString'],
  FREEDOMPAY_BASE_URL: [
    'host',
    'ftp://host',
    'https://host/path',
    'https://host?a',
    'https://user:pass@host',
    '//host',
  ],
  FREEDOMPAY_SIGNATURE: ['hmac'],
  FREEDOMPAY_PRODUCT_ID: ['99999999999999999999', ...notInteger],
  FREEDOMPAY_ALLOWED_PRODUCT_IDS: ['1000,x', '1000;2000', '1.5', '-1'],
  FREEDOMPAY_REQUIRED: ['document,nothing', 'client.document', 'toString'],
  REQUEST_DEADLINE_MS: ['0', '2147483648', ...notInteger],
  CREATE_WAIT_MS: ['2147483648', ...notInteger],
  PARTNER_CONNECT_TIMEOUT_MS: ['0', ...notInteger],
  PARTNER_TIMEOUT_MS: ['0', ...notInteger],
  PARTNER_KEEP_ALIVE_MS: ['0', '2147483648', ...notInteger],
  PARTNER_SETTLE_MS: ['2147483648', ...notInteger],
  PARTNER_ABSENT_MS: ['2147483648', ...notInteger],
  PARTNER_DOUBT_MS: ['2147483648', ...notInteger],
  PARTNER_RESEND: ['yes', 'False', '0'],
  PARTNER_MAX_IN_FLIGHT: ['0', '100001', ...notInteger],
  PARTNER_MAX_WAITING: ['1000001', ...notInteger],
  RECONCILER_CONCURRENCY: ['0', '1001', ...notInteger],
  LEDGER_URL: ['memory', 'sqlite:', 'mysql://host/db', 'redis://', 'postgres://'],
  LEDGER_KEY: ['too short', 'k'.repeat(31)],
  LEDGER_PREVIOUS_KEY: ['too short', 'k'.repeat(31)],
  LEDGER_RETENTION_HOURS: ['0', '87601', ...notInteger],
  AUTH: ['magic', 'None', 'basic'],
  CALLER_RATE_PER_MINUTE: ['1000000001', ...notInteger],
  IDEMPOTENCY_KEY: ['yes', 'true'],
  BASE_PATH: [
    'payments',
    '/',
    '/a/',
    '//a',
    '/a//b',
    '/..',
    '/a/./b',
    '/a b',
    '/ä',
    '/a?b',
    '/a#b',
    '/{a}',
    '/:a',
    '/*',
  ],
  PARTNER_TRACE_CONTEXT: ['yes'],
  TRUST_PROXY: ['true', 'localhost', '10.0.0', '10.0.0.0/33', '10.0.0.0/8/8', 'fd00::/129', '10.0.0.1;10.0.0.2', ','],
  DOCS: ['true', '1', 'TRY'],
  SHUTDOWN_DELAY_MS: ['2147483648', ...notInteger],
}
for (const [name, texts] of Object.entries(faulty)) {
  for (const text of texts) {
    t.test(`${name} cannot be ${JSON.stringify(text)}, and the fault names it without the value`, async (t) => {
      const faults = faultsOf({ ...credentials, LEDGER_KEY: ledgerKey, [name]: text })
      t.equal(faults.length, 1)
      t.equal(faults[0]?.split(' ')[0], name)
      if (text.length > 7) t.notOk(faults[0]?.includes(text))
    })
  }
}

t.test('all faults are named at once, whatever kind they are of', async (t) => {
  const settings = Object.fromEntries(Object.entries(faulty).map(([name, [text]]) => [name, text ?? '']))
  const named = faultsOf({ ...credentials, ...settings }).map((fault) => fault.split(' ')[0])
  t.strictSame(named.sort(), Object.keys(faulty).sort())
})

t.test('the error says it all in lines, and never a secret', async (t) => {
  const faults = faultsOf({ ...credentials, PORT: 'x', DOCS: 'x' })
  const error = new ConfigError(faults)
  t.match(error.message, /^The settings are faulty:\n- PORT .*\n- DOCS .*$/)
  t.notMatch(error.message, secret)
})

t.test('lists are comma-separated, with or without spaces, and the defaults are always allowed', async (t) => {
  const lists = {
    FREEDOMPAY_BRANCH_ID: '001',
    FREEDOMPAY_ALLOWED_PRODUCT_IDS: ' 2000, 3000,,2000 ',
    FREEDOMPAY_ALLOWED_BRANCH_IDS: '002,003 ',
    FREEDOMPAY_REQUIRED: 'personId, document',
    FREEDOMPAY_DUPLICATE_CODES: '1002, 7002',
    FREEDOMPAY_NOT_FOUND_CODES: '1006,7006',
  }
  t.match(loadConfig({ ...credentials, ...lists }), {
    productId: 1000,
    branchId: '001',
    allowedProductIds: new Set([1000, 2000, 3000]),
    allowedBranchIds: new Set(['001', '002', '003']),
    alsoRequired: ['personId', 'document'],
    codes: { duplicate: new Set(['1002', '7002']), notFound: new Set(['1006', '7006']) },
  })
})

for (const [text, trustProxy] of [
  ['false', false],
  ['0', 0],
  ['2', 2],
  ['10.0.0.1', '10.0.0.1'],
  ['10.0.0.0/8, fd00::/8', undefined],
  ['loopback, linklocal, uniquelocal', undefined],
  ['10.0.0.1,', undefined],
] as const) {
  t.test(`TRUST_PROXY may be ${JSON.stringify(text)}, and the server understands it`, async (t) => {
    const config = loadConfig({ TRUST_PROXY: text })
    if (trustProxy !== undefined) t.equal(config.trustProxy, trustProxy)
    if (typeof config.trustProxy === 'string') t.ok(fastify({ trustProxy: config.trustProxy }))
  })
}

t.test('any setting may come from a file, without the line break at its end', async (t) => {
  const folder = t.testdir({ port: '4000\n', key: `${secret}\n`, empty: '\n' })
  const { FREEDOMPAY_SECRET_KEY: _, ...others } = credentials
  const files = { PORT_FILE: join(folder, 'port'), FREEDOMPAY_SECRET_KEY_FILE: join(folder, 'key') }
  const config = loadConfig({ ...others, ...files })
  t.equal(config.port, 4000)
  t.strictSame(config.readCredentials?.(), { authId: '123456', secretKey: secret })
  t.match(faultsOf({ ...others, FREEDOMPAY_SECRET_KEY_FILE: join(folder, 'empty') }), [/^FREEDOMPAY_SECRET_KEY /])
})

t.test('a file and a value for one setting, or a file that is not there, is a fault', async (t) => {
  const folder = t.testdir({ port: '4000' })
  t.match(faultsOf({ PORT: '4000', PORT_FILE: join(folder, 'port') }), [/^PORT and PORT_FILE are both given/])
  t.match(faultsOf({ PORT_FILE: join(folder, 'absent') }), [/^PORT_FILE .*\(ENOENT\)$/])
  t.match(faultsOf({ PORT_FILE: folder }), [/^PORT_FILE .*\(EISDIR\)$/])
})

t.test('a ledger that outlives the process needs a key that does, too', async (t) => {
  const needsKey = [
    `sqlite:${tmpdir()}/ledger.db`,
    'redis://host',
    'rediss://host:6380/1',
    'postgres://a:1,b:2/db',
    'postgresql://host/db',
  ]
  for (const LEDGER_URL of needsKey) {
    t.match(faultsOf({ LEDGER_URL }), [/^LEDGER_KEY is required/], LEDGER_URL)
    t.equal(loadConfig({ LEDGER_URL, LEDGER_KEY: ledgerKey }).readLedgerKey(), ledgerKey)
  }
})

t.test('a key of the ledger in an empty file is absent', async (t) => {
  const file = join(t.testdir({ empty: '\n' }), 'empty')
  const config = loadConfig({ LEDGER_KEY_FILE: file, LEDGER_PREVIOUS_KEY_FILE: file })
  t.equal(config.readLedgerKey(), undefined)
  t.equal(config.readPreviousLedgerKey(), undefined)
})

t.test('a key of the ledger whose file is emptied later is a faulty one, and not the derived one', async (t) => {
  const file = join(t.testdir({ key: ledgerKey }), 'key')
  const config = loadConfig({ LEDGER_KEY_FILE: file })
  writeFileSync(file, '')
  t.equal(config.readLedgerKey(), '')
})

t.test('a ledger that cannot be there is named by its setting', async (t) => {
  const key = { LEDGER_KEY: 'k'.repeat(32) }
  t.match(faultsOf({ ...key, LEDGER_URL: 'sqlite:/nowhere/at/all/ledger.db' }), [/^LEDGER_URL /])
  t.match(faultsOf({ ...key, LEDGER_URL: 'redis://user:password@host:99999' }), [/^LEDGER_URL /])
  t.match(faultsOf({ ...key, LEDGER_URL: 'postgres://user:password@host:5432,host:99999/db' }), [/^LEDGER_URL /])
  t.match(faultsOf({ ...key, LEDGER_URL: 'postgres://user:password@host:5432,/db' }), [/^LEDGER_URL /])
})

/** Everything that can be reached from a value without calling anything. */
function* walk(value: unknown, seen = new Set<unknown>()): Generator<unknown> {
  yield value
  if (typeof value !== 'object' || value === null || seen.has(value)) return
  seen.add(value)
  if (value instanceof Map || value instanceof Set) for (const item of value) yield* walk(item, seen)
  for (const key of Reflect.ownKeys(value)) yield* walk((value as Record<PropertyKey, unknown>)[key], seen)
}

t.test('the result is frozen, and no secret can be found anywhere in it', async (t) => {
  const config = loadConfig({
    ...credentials,
    LEDGER_URL: 'redis://user:password-of-the-test@host:6379',
    LEDGER_KEY: ledgerKey,
  })
  t.ok(Object.isFrozen(config))
  const texts = [JSON.stringify(config), ...walk(config)].map(String)
  for (const hidden of [secret, ledgerKey, 'password-of-the-test']) {
    t.notOk(
      texts.some((text) => text.includes(hidden)),
      hidden,
    )
  }
  t.strictSame(config.readCredentials?.(), { authId: '123456', secretKey: secret }, 'they are read where they stand')
})

t.test('Try it out is off in production unless it is asked for', (t) => {
  const production = { ...credentials, NODE_ENV: 'production', AUTH: 'none', LEDGER_URL: 'memory:' }
  t.equal(loadConfig(credentials).docs, 'try')
  t.equal(loadConfig(production).docs, 'read')
  t.equal(loadConfig({ ...production, DOCS: 'try' }).docs, 'try')
  t.equal(loadConfig({ ...credentials, DOCS: 'off' }).docs, 'off')
  t.end()
})

t.test('traces have a collector by HTTP and a share from 0 to 1', async (t) => {
  const { tracing } = loadConfig({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    OTEL_TRACES_SAMPLER_ARG: '0.05',
    PARTNER_TRACE_CONTEXT: 'true',
  })
  t.strictSame(tracing, { collector: 'http://collector:4318', sampledShare: 0.05, reachesPartner: true })
  for (const endpoint of ['collector:4318', 'grpc://collector:4317', 'collector']) {
    t.match(faultsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }), [/^OTEL_EXPORTER_OTLP_ENDPOINT must be an http/])
  }
  for (const share of ['2', '-1', '1.5', 'all']) {
    t.match(faultsOf({ OTEL_TRACES_SAMPLER_ARG: share }), [/^OTEL_TRACES_SAMPLER_ARG /])
  }
})
