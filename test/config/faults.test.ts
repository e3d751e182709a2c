/** Faulty settings: each is named, all at once, and none hides or invents another. */
import { hash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { faultsOf } from '../fixtures/faults-of.ts'

/** Asserts that there is one fault for each pattern, in this order. */
function isFaulty(t: Test, settings: Record<string, string>, patterns: readonly RegExp[], message = ''): void {
  const faults = faultsOf(settings)
  t.match(faults, patterns, message)
  t.equal(faults.length, patterns.length, message)
}

/** The first word of each fault: the name of its setting. */
const namesOf = (settings: Record<string, string>) => faultsOf(settings).map((fault) => fault.split(' ')[0])

const absent = '/nowhere/at/all'
const ledgerKey = 'ledger-key-of-the-test-with-32-bytes'
const credentials = { FREEDOMPAY_AUTH_ID: '1', FREEDOMPAY_SECRET_KEY: 'secret', FREEDOMPAY_PRODUCT_ID: '1000' }
const production = { ...credentials, NODE_ENV: 'production', AUTH: 'none', LEDGER_URL: 'memory:' }
const withLedgerKey = { ...credentials, LEDGER_KEY: ledgerKey }

t.test('in production an address of the ledger that cannot be read is a fault among the others', async (t) => {
  const { LEDGER_URL: _, ...others } = production
  const faulty = { ...others, LEDGER_URL_FILE: absent, LEDGER_KEY: ledgerKey, DOCS: 'x' }
  isFaulty(t, faulty, [/^LEDGER_URL_FILE .*\(ENOENT\)$/, /^DOCS /])
  isFaulty(t, { ...faulty, LEDGER_URL: 'memory:' }, [/^LEDGER_URL and LEDGER_URL_FILE are both given/, /^DOCS /])
})

t.test('a setting of FreedomPay that cannot be read says that the sandbox is not wanted', async (t) => {
  const empty = join(t.testdir({ empty: '\n' }), 'empty')
  t.strictSame(namesOf({ FREEDOMPAY_SECRET_KEY_FILE: absent }), [
    'FREEDOMPAY_SECRET_KEY_FILE',
    'FREEDOMPAY_AUTH_ID',
    'FREEDOMPAY_PRODUCT_ID',
  ])
  t.strictSame(
    namesOf({ FREEDOMPAY_BASE_URL_FILE: empty }),
    Object.keys(credentials),
    'an empty file is no wish for the sandbox either',
  )
  t.strictSame(faultsOf({ FREEDOMPAY_AUTH_ID_FILE: empty, FREEDOMPAY_SECRET_KEY_FILE: empty }), [
    'FREEDOMPAY_AUTH_ID is required',
    'FREEDOMPAY_SECRET_KEY is required',
    'FREEDOMPAY_PRODUCT_ID is required',
  ])
})

t.test('where AUTH is not said or faulty, the settings of each kind are checked', async (t) => {
  const { AUTH: _, ...unsaid } = production
  const faulty = { JWT_JWKS_URL: 'keys', JWT_SCOPE: 'a b', API_KEYS_FILE: absent }
  const names = ['AUTH', 'API_KEYS_FILE', 'JWT_JWKS_URL', 'JWT_SCOPE']
  t.strictSame(namesOf({ ...unsaid, ...faulty }).sort(), names.toSorted())
  t.strictSame(namesOf({ ...production, AUTH: 'Magic', ...faulty }).sort(), names.toSorted())
  const keysFile = join(t.testdir({ keys: `caller:${hash('sha256', 'key')}` }), 'keys')
  isFaulty(t, { AUTH: 'Magic', API_KEYS_FILE: keysFile }, [/^AUTH /], 'nothing says that AUTH is none')
  isFaulty(t, { AUTH_FILE: absent, API_KEYS_FILE: keysFile }, [/^AUTH_FILE /])
})

t.test('a setting that cannot be read is not said to be missing as well', async (t) => {
  const { FREEDOMPAY_PRODUCT_ID: _, ...rest } = credentials
  isFaulty(t, { ...rest, FREEDOMPAY_PRODUCT_ID_FILE: absent }, [/^FREEDOMPAY_PRODUCT_ID_FILE /])
  isFaulty(t, { AUTH: 'api-key', API_KEYS_FILE_FILE: absent }, [/^API_KEYS_FILE_FILE /])
  const jwt = { AUTH: 'jwt', JWT_JWKS_URL: 'https://issuer.example/keys', JWT_AUDIENCE: 'clients' }
  isFaulty(t, { ...jwt, JWT_ISSUER_FILE: absent }, [/^JWT_ISSUER_FILE /])
  isFaulty(t, { LEDGER_URL: 'redis://host', LEDGER_KEY_FILE: absent }, [/^LEDGER_KEY_FILE /])
})

t.test('a faulty address of a ledger that needs a key does not hide that the key is missing', async (t) => {
  for (const url of ['redis://host:99999', 'sqlite:/nowhere/at/all/ledger.db', 'postgres://', 'mysql://host/db']) {
    t.strictSame(namesOf({ LEDGER_URL: url }), ['LEDGER_URL', 'LEDGER_KEY'], url)
  }
  t.strictSame(namesOf({ LEDGER_URL_FILE: absent }), ['LEDGER_URL_FILE', 'LEDGER_KEY'])
  t.strictSame(namesOf({ LEDGER_URL: 'memory' }), ['LEDGER_URL'], 'a ledger in memory needs none')
})

for (const [what, url] of [
  ['the name of a database of Redis that is no number', 'redis://host/notadb'],
  ['the number of a database of Redis that is no integer', 'redis://host/1.5'],
  ['a percent sign without its two digits', 'redis://user:text%ZZ@host'],
  ['a file of certificates that is not there', `postgres://host/db?sslrootcert=${absent}`],
  ['a number sign in the user name, to PostgreSQL', 'postgres://us#er:text@host/db'],
  ['a number sign in the user name, to Redis', 'redis://us#er:text@host/0'],
  ['a slash in the password', 'postgres://user:12/34@host/db'],
] as const) {
  t.test(`an address of the ledger cannot hold ${what}`, async (t) => {
    const [fault = '', ...more] = faultsOf({ ...withLedgerKey, LEDGER_URL: url })
    t.match(fault, /^LEDGER_URL /)
    t.strictSame(more, [])
    for (const text of ['text', '34@host', url]) t.notOk(fault.includes(text), 'without the value')
  })
}

t.test('an address of the ledger may hold what its engine can read', async (t) => {
  for (const url of [
    'redis://host/1',
    'rediss://user:p%23%2F%40@host:6380',
    'postgres://us%23er:p%2F@host-1:5432,host-2:5432/db?sslmode=verify-full',
    'postgres://user@name:text@host/db?application_name=a@b',
    `sqlite:${t.testdir({ 'a#b@c': {} })}/a#b@c/ledger.db`,
  ]) {
    t.strictSame(faultsOf({ ...withLedgerKey, LEDGER_URL: url }), [], url)
  }
})

t.test('both listeners need an address that can exist, and a port each', async (t) => {
  for (const host of ['999.1.1.1', '1.2.3', '[::1]', 'localhost:3000', 'http://localhost', 'a b', '-.', 'a..b']) {
    isFaulty(t, { HOST: host }, [/^HOST must be/], host)
  }
  for (const host of ['127.0.0.1', '0.0.0.0', '::', 'fe80::1%eth0', 'localhost', 'service_1.example.com', '4f3a']) {
    t.equal(loadConfig({ HOST: host }).host, host)
  }
  isFaulty(t, { PORT: '4000', OPS_PORT: '4000' }, [/^OPS_PORT must differ from PORT/])
  isFaulty(t, { OPS_PORT: '3000' }, [/^OPS_PORT must differ from PORT/], 'the default of the other')
  isFaulty(t, { PORT: 'x', OPS_PORT: '3000' }, [/^PORT /], 'a port that is not known may be any')
  t.strictSame(faultsOf({ PORT: '0', OPS_PORT: '0' }), [], 'a free port each')
})

t.test('a text of the environment is trimmed as a text of a file is', async (t) => {
  const config = loadConfig({
    FREEDOMPAY_AUTH_ID: ' 123456\n',
    FREEDOMPAY_SECRET_KEY: 'secret\n',
    FREEDOMPAY_PRODUCT_ID: ' 2000 ',
    LEDGER_KEY: ` ${ledgerKey}\n`,
    LEDGER_URL: 'redis://host\n',
    DOCS: ' off',
  })
  t.strictSame(config.readCredentials?.(), { authId: '123456', secretKey: 'secret' })
  t.match(config, { productId: 2000, docs: 'off' })
  t.equal(config.readLedgerKey(), ledgerKey)
  t.equal(config.readLedger().url, 'redis://host')
})

t.test('a text of white space is no text, and not absent either', async (t) => {
  for (const name of ['FREEDOMPAY_SECRET_KEY', 'FREEDOMPAY_AUTH_ID', 'LEDGER_KEY', 'LEDGER_ACCOUNT', 'DOCS', 'HOST']) {
    t.strictSame(faultsOf({ ...credentials, [name]: ' \n' }), [`${name} holds nothing but white space`])
  }
})

t.test('credentials that no call could carry are faulty', async (t) => {
  const folder = t.testdir({ lines: 'two\nlines\n' })
  const lines = join(folder, 'lines')
  for (const id of ['12\n34', '12\u007f34', 'идентификатор']) {
    isFaulty(t, { ...credentials, FREEDOMPAY_AUTH_ID: id }, [/^FREEDOMPAY_AUTH_ID must/], id)
  }
  const { FREEDOMPAY_AUTH_ID: _, FREEDOMPAY_SECRET_KEY: __, ...others } = credentials
  isFaulty(t, { ...others, FREEDOMPAY_AUTH_ID_FILE: lines, FREEDOMPAY_SECRET_KEY_FILE: lines }, [
    /^FREEDOMPAY_AUTH_ID must/,
    /^FREEDOMPAY_SECRET_KEY must/,
  ])
  const jwt = { AUTH: 'jwt', JWT_JWKS_URL: 'https://a.example', JWT_ISSUER: 'a', JWT_AUDIENCE: 'b' }
  isFaulty(t, { ...jwt, JWT_JWKS_TOKEN_FILE: lines }, [/^JWT_JWKS_TOKEN must/])
  for (const key of ['a key with spaces', 'ключ', 'a'.repeat(1000)]) {
    t.strictSame(faultsOf({ ...credentials, FREEDOMPAY_SECRET_KEY: key }), [], 'a key is never part of a header')
  }
})

t.test('a secret that is read again is trimmed as well', async (t) => {
  const file = join(t.testdir({ key: 'secret' }), 'key')
  const { FREEDOMPAY_SECRET_KEY: _, ...others } = credentials
  const { readCredentials } = loadConfig({ ...others, FREEDOMPAY_SECRET_KEY_FILE: file })
  writeFileSync(file, ' next \n')
  t.equal(readCredentials?.().secretKey, 'next')
})
