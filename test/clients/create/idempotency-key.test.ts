import fc from 'fast-check'
import t from 'tap'
import { v5 as uuidv5 } from 'uuid'
import type { CreateClient } from '../../../src/clients/body/schema.ts'
import {
  createFingerprint,
  digestDocument,
  idempotencyKeyPattern,
  readIdempotencyKey,
  toKeyId,
  toRequestId,
} from '../../../src/clients/create/idempotency-key.ts'
import { checkProperty } from '../../fixtures/property.ts'

/** As Node hands several lines of one header over. */
const readLines = (...lines: string[]) => readIdempotencyKey(lines.join(', '))

t.test('a key is taken as it is, bare or quoted', async (t) => {
  const rows: [line: string, key: string, name?: string][] = [
    ['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['"8e03978e-40d5-43dd-bc93-6894a57f9324"', '8e03978e-40d5-43dd-bc93-6894a57f9324', 'quoted is the same key'],
    ['"a\\"b\\\\c"', 'a"b\\c', 'with the escapes undone'],
    ['a"b\\c', 'a"b\\c', 'bare, nothing is an escape'],
    ['!', '!', 'the first visible character'],
    ['~', '~', 'the last visible character'],
    ['a,b;c=d', 'a,b;c=d', 'not a list, nor has it parameters'],
    ['a'.repeat(255), 'a'.repeat(255)],
    [`"${'a'.repeat(255)}"`, 'a'.repeat(255), 'quotes do not count'],
    [`"${'\\"'.repeat(255)}"`, '"'.repeat(255), 'neither do escapes'],
  ]
  for (const [line, key, name] of rows) t.equal(readLines(line), key, name ?? line)
})

t.test('a malformed key is an error', async (t) => {
  const rows: [name: string, ...lines: string[]][] = [
    ['empty', ''],
    ['empty in quotes', '""'],
    ['256 characters', 'a'.repeat(256)],
    ['256 characters in quotes', `"${'a'.repeat(256)}"`],
    ['a space', 'a b'],
    ['a space in quotes', '"a b"'],
    ['a tab', 'a\tb'],
    ['delete', '\x7f'],
    ['beyond ASCII', 'clé'],
    ['beyond ASCII in quotes', '"clé"'],
    ['a quote that does not end', '"abc'],
    ['a quote alone', '"'],
    ['a quote that ends in an escape', '"abc\\"'],
    ['an escape that is none', '"a\\bc"'],
    ['a bare quote within quotes', '"a"b"'],
    ['text after quotes', '""x'],
    ['parameters after quotes', '"abc";a=1'],
    ['two lines', 'abc', 'abc'],
    ['two lines, the second empty', 'abc', ''],
    ['a header without a line'],
  ]
  for (const [name, ...lines] of rows) t.throws(() => readLines(...lines), { code: 'invalid-idempotency-key' }, name)
})

t.test('every key that can be sent bare is the same key in quotes', async (t) => {
  const visible = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code))
  const key = fc.string({ unit: visible, minLength: 1, maxLength: 255 }).filter((text) => !text.startsWith('"'))
  checkProperty(
    t,
    fc.property(key, (key) => {
      const quoted = `"${key.replace(/["\\]/g, '\\$&')}"`
      return readLines(key) === key && readLines(quoted) === key
    }),
  )
})

t.test('the documented pattern takes what the service takes', async (t) => {
  const pattern = new RegExp(idempotencyKeyPattern)
  const line = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', '~', '!', '"', '\\', ' ', '\x7f', 'é') }),
    fc.stringMatching(/^"(?:[a\]!]|\\["\\])*"$/),
    ...['a'.repeat(255), 'a'.repeat(256), `"${'\\"'.repeat(255)}"`, `"${'a'.repeat(256)}"`].map((text) =>
      fc.constant(text),
    ),
  )
  checkProperty(
    t,
    fc.property(line, (line) => {
      try {
        readLines(line)
        return pattern.test(line)
      } catch {
        return !pattern.test(line)
      }
    }),
  )
})

const namespace = '6f1f3a52-5a0e-4f0b-9f43-2f4c7f0f7c1e'
const anyText = fc.string({ unit: 'binary' })

t.test('a key has the same id on every replica and for ever', async (t) => {
  // Made elsewhere, as RFC 9562 has it. If this fails, every key that was ever used has lost its request.
  t.equal(toKeyId('anonymous', 'key-1'), '23c19c0c-44db-51f6-8b0d-2800dfc4e39b')
  checkProperty(
    t,
    fc.property(anyText, anyText, (key, caller) => toKeyId(caller, key) === uuidv5(`${key}\n${caller}`, namespace)),
  )
})

t.test('a key and a body stand for the same request_id on every replica and for ever', async (t) => {
  checkProperty(
    t,
    fc.property(anyText, anyText, anyText, (key, caller, print) => {
      return toRequestId(caller, key, print) === uuidv5(`${key}\n${caller}\n${print}`, namespace)
    }),
  )
})

t.test('another key or another caller is another id', async (t) => {
  const pairs = [
    ['anonymous', 'key-1'],
    ['anonymous', 'key-2'],
    ['key-1', 'anonymous'],
    ['anonymous', 'KEY-1'],
    ['anonymousk', 'ey-1'],
    ['', 'key-1anonymous'],
  ] as const
  t.equal(new Set(pairs.map(([caller, key]) => toKeyId(caller, key))).size, pairs.length)
  t.equal(new Set(pairs.map(([caller, key]) => toRequestId(caller, key, 'print'))).size, pairs.length)
})

t.test('another body of the same key is another request_id, which is never the id of the key', async (t) => {
  const ids = ['print', 'prinT', ''].map((print) => toRequestId('anonymous', 'key-1', print))
  t.equal(new Set([...ids, toKeyId('anonymous', 'key-1')]).size, 4)
})

const ledgerKey = 'a ledger key of thirty-two bytes.'
const fingerprint = createFingerprint(ledgerKey)
const fingerprintOf = (json: string) => fingerprint(JSON.parse(json) as CreateClient)

const body = `{
  "phone": "+998901234567",
  "firstName": "Alisher",
  "document": "JVBERi0x/w==",
  "registrationAddress": { "country": "UZB", "city": "Toshkent" },
  "productId": 1000
}`

t.test('the fingerprint is the HMAC-SHA-256 of the body with its members in order', async (t) => {
  // Made by openssl, over ["firstName","Alisher","phone","+998901234567"].
  const expected = 'rNUNQiCn_8vxXLz5dlfReTLjYzYiMVznwp6F1QQIYy0'
  t.equal(fingerprintOf('{"phone":"+998901234567","firstName":"Alisher"}'), expected)
})

t.test('a document stands in the fingerprint by its digest', async (t) => {
  // Made by openssl, over ["document","m635fvfXt6U9l_Ql7rMHSNshUiMB-3vzHk1Ti_9xq1Y","phone","+998901234567"].
  t.equal(
    fingerprintOf('{"phone":"+998901234567","document":"JVBERi0x/w=="}'),
    'f0KnWQFHEjvio2zAFR2h3OZg2sjMzUSigYdtllEcyUI',
  )
})

t.test('of a document of any length the digest made in slices is the one made at once', async (t) => {
  for (const length of [0, 1, 49_151, 49_152, 49_153, 131_072, 393_216, 393_217, 2_796_204]) {
    let turns = 0
    const turn = async () => {
      turns++
    }
    const document = Buffer.alloc(length, 'JVBERi0x').toString('latin1')
    const large: CreateClient = { phone: '+998901234567', document }
    const digest = await digestDocument(large, turn)
    t.equal(fingerprint(large, digest), fingerprint(large), `${length} characters`)
    t.equal(turns, length < 131_072 ? 0 : Math.ceil(length / 393_216), `turns for ${length} characters`)
  }
  t.equal(
    await digestDocument({ phone: '+998901234567' }, () => Promise.reject(new Error('nothing to wait for'))),
    undefined,
  )
})

t.test('the members of an address are in order, too', async (t) => {
  // Made by openssl, over ["phone","+998901234567","registrationAddress",[["city","Toshkent"],["country","UZB"]]].
  const expected = '7nAVgY4kwVQrF0u-T5oU8mzKxBVGMdQ4wTZRiMJoYSU'
  t.equal(
    fingerprintOf('{"phone":"+998901234567","registrationAddress":{"country":"UZB","city":"Toshkent"}}'),
    expected,
  )
})

t.test('however it is written, the same body has the same fingerprint', async (t) => {
  const same = {
    'the other order': `{
      "productId": 1000,
      "registrationAddress": { "city": "Toshkent", "country": "UZB" },
      "document": "JVBERi0x/w==",
      "firstName": "Alisher",
      "phone": "+998901234567"
    }`,
    'no white space': body.replace(/\s/g, ''),
    'more white space': body.replace(/([{},:])/g, '\t\r\n $1 '),
    'escaped slashes': body.replaceAll('/', '\\/'),
    'escaped letters': body.replaceAll('A', '\\u0041').replaceAll('T', '\\u0054'),
    'escaped names': body.replace('"phone"', '"\\u0070hone"'),
    'the number otherwise': body.replace('1000', '1e3'),
  }
  for (const [name, text] of Object.entries(same)) {
    t.not(text, body)
    t.equal(fingerprintOf(text), fingerprintOf(body), name)
  }
})

t.test('another body has another fingerprint', async (t) => {
  const others = [
    body,
    body.replace('4567', '4568'),
    body.replace('Alisher', 'alisher'),
    body.replace('Alisher', 'Alisher '),
    body.replace('/w==', '/g=='),
    body.replace('UZB', 'KAZ'),
    body.replace('registrationAddress', 'residentialAddress'),
    body.replace(', "city": "Toshkent"', ''),
    body.replace('"firstName": "Alisher",', ''),
    body.replace('firstName', 'lastName'),
    body.replace('1000', '1001'),
    body.replace('"productId": 1000', '"resident": true'),
    body.replace('"productId": 1000', '"resident": false'),
  ]
  t.equal(new Set(others.map(fingerprintOf)).size, others.length)
})

t.test('without the key of the ledger nobody can make the fingerprint', async (t) => {
  const other = createFingerprint('another ledger key of 32 bytes..')
  t.not(other(JSON.parse(body)), fingerprintOf(body))
  t.notMatch(fingerprintOf(body), /4567|Alisher/)
})

t.test('a body is not changed by taking its fingerprint', async (t) => {
  const parsed = JSON.parse(body)
  fingerprint(parsed)
  t.equal(JSON.stringify(parsed), JSON.stringify(JSON.parse(body)))
})
