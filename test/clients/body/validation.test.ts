import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { Requirements } from '../../../src/clients/body/requirements.ts'
import { members } from '../../../src/clients/body/schema.ts'
import { createBodyValidator } from '../../../src/clients/body/validation.ts'
import type { InputError } from '../../../src/problems/problem.ts'
import { checkProperty } from '../../fixtures/property.ts'

const requirements: Requirements = {
  region: 'uz',
  defaultProductId: 1000,
  allowedProductIds: new Set([1000, 2000]),
  allowedBranchIds: new Set(['001', 'b'.repeat(255)]),
  alsoRequired: [],
}
const validate = createBodyValidator(requirements)
const phone = '+998901234567'

function errorsOf(body: unknown, validateBody = validate): InputError[] {
  const result = validateBody(body)
  return 'error' in result ? (result.error.body.errors ?? []) : []
}

function takenFrom(body: unknown): unknown {
  const result = validate(body)
  return 'value' in result ? result.value : undefined
}

/** A body in which the member that the pointer names has this value. */
function bodyWith(pointer: string, value: unknown): object {
  const [member = '', nested] = pointer.slice(1).split('/')
  if (nested === undefined) return { phone, [member]: value }
  const rest = member === 'identification' ? { identifiedAt: '2026-01-31T09:30:00Z', identifiedBy: 'operator' } : {}
  return { phone, [member]: { ...rest, [nested]: value } }
}

const phoneMessage = 'must be a phone number in E.164 form, such as +998901234567'
const nameMessage =
  'must be 1 to 100 Latin letters, spaces, apostrophes, hyphens or full stops, with at least one letter; letters with marks must be composed (Unicode NFC)'
const dateMessage = 'must be a date that exists and is not in the future, as YYYY-MM-DD'
const emailMessage = 'must be an e-mail address of at most 254 characters'
const countryMessage = 'must be an ISO 3166-1 alpha-3 code that exists, in upper case, such as UZB'
const languageMessage = 'must be an ISO 639-1 code that exists, in lower case, such as uz'
const instantMessage = 'must be an RFC 3339 date and time with an offset, such as 2026-01-31T09:30:00+05:00'
const base64Message = 'must be Base64 (RFC 4648 §4), padded, without line breaks'
const textMessage = (max: number) => `must be a text of 1 to ${max} characters without control characters`
const typeMessage = (type: string) => `must be of type ${type}`
const kindMessage = 'must be one of: individual, legal-entity, individual-entrepreneur'
const addressMessage = 'must have at least one member, or be absent'

/** The calendar of the moment, some hours on: in Kyrgyzstan the day is never behind that of UTC. */
function dayFromNow(hours: number): string {
  return new Date(Date.now() + hours * 3_600_000).toISOString().slice(0, 10)
}

interface Member {
  pointer: string
  good: unknown[]
  /** By the message that they get. */
  bad: Record<string, unknown[]>
}

const wrongTypes = [null, 5, true, ['a'], { a: 1 }]

function text(pointer: string, max: number): Member {
  const good = ['x', 'Ташкент № 1', '塔什干', ' ', '\u2028', 'x'.repeat(max), '😀'.repeat(max)]
  const tooLong = ['x'.repeat(max + 1), '😀'.repeat(max + 1)]
  const unreadable = ['a\0b', 'a\nb', 'a\tb', '\u007f', 'a\u0085b', 'a\ud800b', '\udc00']
  const bad = { [textMessage(max)]: ['', ...tooLong, ...unreadable], [typeMessage('string')]: wrongTypes }
  return { pointer, good, bad }
}

function name(pointer: string): Member {
  const good = [
    'A',
    'Alisher',
    'Oʻktam',
    'Oʼktam',
    "D'Arcy",
    'O’Brien',
    'Anne-Marie',
    'J. R.',
    'Žižek',
    'José',
    'ß',
    'Ǆ',
    'ﬁ',
  ]
  const bad = [
    '',
    ' ',
    "'",
    '-.',
    '.',
    '-',
    'Алишер',
    'Аlisher',
    '王',
    'A1',
    'A_b',
    'A\n',
    'A\0',
    'A😀',
    'A\u0301',
    'José'.normalize('NFD'),
    'A'.repeat(101),
  ]
  return {
    pointer,
    good: [...good, 'A'.repeat(100)],
    bad: { [nameMessage]: bad, [typeMessage('string')]: wrongTypes },
  }
}

function country(pointer: string): Member {
  const bad = ['UZZ', 'XKK', 'uzb', 'Uzb', 'UZ', '', 'UZBE', 'UZB ', '860', 'constructor']
  return {
    pointer,
    good: ['UZB', 'KAZ', 'KGZ', 'RUS', 'ATA', 'USA'],
    bad: { [countryMessage]: bad, [typeMessage('string')]: wrongTypes },
  }
}

function address(pointer: string): Member[] {
  return [
    {
      pointer,
      good: [{ country: 'UZB' }, { postalCode: '1', city: '2', street: '3', building: '4' }],
      bad: { [addressMessage]: [{}], [typeMessage('object')]: [null, 5, 'Tashkent', true, [], [{ country: 'UZB' }]] },
    },
    country(`${pointer}/country`),
    text(`${pointer}/postalCode`, 255),
    text(`${pointer}/city`, 255),
    text(`${pointer}/street`, 255),
    text(`${pointer}/building`, 255),
  ]
}

const table: Member[] = [
  {
    pointer: '/phone',
    good: ['+998901234567', '+1234567', '+999999999999999'],
    bad: {
      [phoneMessage]: [
        '',
        '+',
        '998935551122',
        '+0998901234567',
        '+123456',
        '+1234567890123456',
        '+998 90 123 45 67',
        '+99890123456x',
        '+998901234567\n',
        ' +998935551122',
        '+９９８９０１２３４５６７',
        '00998901234567',
      ],
      [typeMessage('string')]: [998901234567, ...wrongTypes],
    },
  },
  {
    pointer: '/type',
    good: ['individual', 'legal-entity', 'individual-entrepreneur'],
    bad: { [kindMessage]: ['', 'Individual', 'company', 1, null, true, ['individual'], {}] },
  },
  {
    pointer: '/resident',
    good: [true, false],
    bad: { [typeMessage('boolean')]: ['true', 'yes', 1, 0, null, [], {}] },
  },
  name('/firstName'),
  name('/lastName'),
  name('/middleName'),
  {
    pointer: '/birthDate',
    good: ['1990-02-28', '2024-02-29', '2000-02-29', '1900-01-01', dayFromNow(0), dayFromNow(5)],
    bad: {
      [dateMessage]: [
        '',
        '2026-02-30',
        '2023-02-29',
        '1900-02-29',
        '1990-13-01',
        '1990-00-01',
        '1990-01-00',
        '1990-1-1',
        '28.02.1990',
        '1990-02-28T00:00:00Z',
        '+01990-02-28',
        '1990-02-28\n',
        '१९९०-०२-२८',
        dayFromNow(48),
        '9999-12-31',
      ],
      [typeMessage('string')]: [19900228, ...wrongTypes],
    },
  },
  {
    pointer: '/email',
    good: [
      'a@b.uz',
      'alisher.navoiy+cards@mail.example.com',
      "o'neil@example.com",
      'a@xn--80ak6aa92e.xn--p1ai',
      'A_B@EXAMPLE.COM',
      `${'a'.repeat(64)}@example.com`,
      `a@${'b'.repeat(63)}.uz`,
      `a@${'b.'.repeat(125)}uz`,
    ],
    bad: {
      [emailMessage]: [
        '',
        'alisher',
        '@example.com',
        'a@',
        'a@localhost',
        'a@b@example.com',
        '.a@example.com',
        'a.@example.com',
        'a..b@example.com',
        'a b@example.com',
        'a@example..com',
        'a@-example.com',
        'a@example-.com',
        'a@example.-c',
        'a@example.c-',
        'a@example.--',
        'a@example.com.',
        'a@example.com\n',
        'a\0@example.com',
        'а@example.com',
        'a@[127.0.0.1]',
        `${'a'.repeat(65)}@example.com`,
        `a@${'b'.repeat(64)}.uz`,
        `a@${'b.'.repeat(126)}uz`,
      ],
      [typeMessage('string')]: wrongTypes,
    },
  },
  country('/country'),
  text('/personId', 64),
  {
    pointer: '/language',
    good: ['uz', 'kk', 'ky', 'ru', 'en'],
    bad: { [languageMessage]: ['', 'u', 'UZ', 'xx', 'uzb', 'uz '], [typeMessage('string')]: wrongTypes },
  },
  {
    pointer: '/document',
    good: ['JVBERi0=', 'JVBERi0xLjQKJSVFT0YK'],
    bad: {
      [base64Message]: ['JVBERi0', 'JVBERi0-_w==', 'JVBE\nRi0=', '%PDF-1.7'],
      'must be a PDF: its first bytes are %PDF-': ['', 'QUFBQUFB'],
      'must be a PDF of at most 2 MiB (2097152 bytes) before Base64': ['A'.repeat(2_796_208)],
      [typeMessage('string')]: wrongTypes,
    },
  },
  text('/externalUserId', 128),
  ...address('/registrationAddress'),
  ...address('/residentialAddress'),
  {
    pointer: '/identification',
    good: [{ identifiedAt: '2026-01-31T09:30:00+05:00', identifiedBy: 'operator-7' }],
    bad: { [typeMessage('object')]: [null, 'operator-7', 5, true, []] },
  },
  {
    pointer: '/identification/identifiedAt',
    good: [
      '2026-01-31T09:30:00+05:00',
      '2026-01-31T09:30:00Z',
      '2026-01-31t09:30:00z',
      '2026-01-31T09:30:00.123456789-11:30',
      '2024-02-29T23:59:59-00:00',
      '2016-12-31T23:59:60Z',
      '2017-01-01T04:59:60+05:00',
      '2016-12-31T12:29:60-11:30',
    ],
    bad: {
      [instantMessage]: [
        '',
        '2025-03-31',
        '2025-03-31T09:30:00',
        '2025-03-31 09:30:00Z',
        '2026-02-30T09:30:00Z',
        '2025-03-31T24:00:00Z',
        '2025-03-31T09:60:00Z',
        '2025-03-31T09:30:61Z',
        '2025-03-31T09:30:60Z',
        '2025-03-31T23:59:60+05:00',
        '2025-03-31T09:30Z',
        '2025-03-31T09:30:00.Z',
        '2025-03-31T09:30:00.1234567890Z',
        '2025-03-31T09:30:00+5:00',
        '2025-03-31T09:30:00+0500',
        '2025-03-31T09:30:00+24:00',
        '2025-03-31T09:30:00+05:60',
        '2025-03-31T09:30:00Z\n',
        'Sat, 31 Jan 2026 09:30:00 GMT',
      ],
      [typeMessage('string')]: [1769832000, ...wrongTypes],
    },
  },
  text('/identification/identifiedBy', 255),
  {
    pointer: '/productId',
    good: [1000, 2000, 1e3],
    bad: {
      'must be one of: 1000, 2000': [3000, 0, -1000, 1e300],
      [typeMessage('integer')]: ['1000', 1000.5, null, true, [1000], {}, Number.POSITIVE_INFINITY],
    },
  },
  {
    pointer: '/branchId',
    good: ['001', 'b'.repeat(255)],
    bad: {
      [`must be one of: 001, ${'b'.repeat(255)}`]: ['002', '01'],
      [textMessage(255)]: ['', 'b\0', 'c'.repeat(256)],
      [typeMessage('string')]: wrongTypes,
    },
  },
]

/** So that a message which quotes what came is found out; shorter texts may well be words of the message. */
const shortestQuote = 5

/** Fit for TAP, which ends a line where Unicode does. */
function nameOf(value: unknown): string {
  return JSON.stringify(value)
    .slice(0, 40)
    .replace(/[^ -~]/g, '?')
}

for (const { pointer, good, bad } of table) {
  t.test(`${pointer} takes what the contract allows, as it is`, async (t) => {
    for (const value of good) {
      const body = bodyWith(pointer, value)
      const before = structuredClone(body)
      t.strictSame(errorsOf(body), [], nameOf(value))
      t.equal(takenFrom(body), body)
      t.strictSame(body, before, 'nothing is coerced')
    }
  })

  t.test(`${pointer} refuses everything else, with one message that quotes nothing`, async (t) => {
    for (const [message, values] of Object.entries(bad)) {
      for (const value of values) {
        t.strictSame(errorsOf(bodyWith(pointer, value)), [{ pointer, message }], nameOf(value))
        if (typeof value === 'string' && value.length >= shortestQuote) t.notOk(message.includes(value))
      }
    }
  })
}

t.test('the table has every member of the contract', async (t) => {
  t.strictSame(new Set(table.map(({ pointer }) => pointer.split('/')[1])), new Set(members))
})

t.test('only the phone is required by the contract itself', async (t) => {
  t.strictSame(errorsOf({ phone }), [])
  t.strictSame(errorsOf({}), [{ pointer: '/phone', message: 'is required' }])
})

t.test('an identification needs both of its members', async (t) => {
  t.strictSame(errorsOf({ phone, identification: {} }), [
    { pointer: '/identification/identifiedAt', message: 'is required' },
    { pointer: '/identification/identifiedBy', message: 'is required' },
  ])
})

t.test('what is no object is refused as a whole', async (t) => {
  for (const body of [null, undefined, [], [{ phone }], 5, 'phone', true, '']) {
    t.strictSame(errorsOf(body), [{ pointer: '', message: 'must be of type object' }], JSON.stringify(body))
  }
})

const unknownMember = 'is not a member of this contract; remove it'

t.test('unknown members are refused by name, wherever they are and whatever they are called', async (t) => {
  const rows: [json: string, pointers: string[]][] = [
    ['{"name":1}', ['/name']],
    ['{"Phone":"+998901234567"}', ['/Phone']],
    ['{"":1}', ['/']],
    ['{"a/b~c":1}', ['/a~1b~0c']],
    ['{"__proto__":{"phone":"x"}}', ['/__proto__']],
    ['{"constructor":{"prototype":{}}}', ['/constructor']],
    ['{"toString":1,"hasOwnProperty":1}', ['/hasOwnProperty', '/toString']],
    ['{"registrationAddress":{"country":"UZB","zip":"1"}}', ['/registrationAddress/zip']],
    ['{"registrationAddress":{"__proto__":{"country":"UZB"}}}', ['/registrationAddress/__proto__']],
    ['{"residentialAddress":{"constructor":1}}', ['/residentialAddress/constructor']],
    [
      '{"identification":{"identifiedAt":"2026-01-31T09:30:00Z","identifiedBy":"a","x":{"y":1}}}',
      ['/identification/x'],
    ],
  ]
  for (const [json, pointers] of rows) {
    const errors = errorsOf({ phone, ...JSON.parse(json) })
    // A spread takes __proto__ for an ordinary member, as JSON.parse does.
    const found = errors.sort((a, b) => (a.pointer < b.pointer ? -1 : 1))
    t.strictSame(
      found,
      pointers.map((pointer) => ({ pointer, message: unknownMember })),
      json,
    )
  }
})

t.test('a member that comes by way of __proto__ is not there', async (t) => {
  const pointers = errorsOf(JSON.parse(`{"__proto__":{"phone":"${phone}"}}`)).map(({ pointer }) => pointer)
  t.strictSame(pointers.sort(), ['/__proto__', '/phone'])
  const inherited = errorsOf(JSON.parse('{"__proto__":{"type":"individual","resident":true}}'), kzValidator())
  t.ok(
    inherited.some(({ pointer }) => pointer === '/type'),
    'nor for what the region requires',
  )
})

function kzValidator() {
  return createBodyValidator({ ...requirements, region: 'kz', defaultProductId: 2000 })
}

t.test('depth does no harm', async (t) => {
  const levels = 10_000
  const nested = JSON.parse(`${'{"country":'.repeat(levels)}1${'}'.repeat(levels)}`)
  const array = JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)
  t.strictSame(errorsOf(array), [{ pointer: '', message: typeMessage('object') }])
  t.strictSame(errorsOf({ phone, x: nested }), [{ pointer: '/x', message: unknownMember }])
  t.strictSame(errorsOf({ phone, type: array }), [{ pointer: '/type', message: kindMessage }])
  t.strictSame(errorsOf({ phone, registrationAddress: nested }), [
    { pointer: '/registrationAddress/country', message: typeMessage('string') },
  ])
})

t.test('all faults are named at once, each place once', async (t) => {
  const bad = Object.assign({}, ...table.filter(({ pointer }) => pointer.lastIndexOf('/') === 0).map(firstBad))
  const expected = table.filter(({ pointer }) => pointer.lastIndexOf('/') === 0).map(({ pointer }) => pointer)
  const pointers = errorsOf({ ...bad, unknown: 1 }).map(({ pointer }) => pointer)
  t.strictSame(pointers.sort(), [...expected, '/unknown'].sort())
})

function firstBad({ pointer, bad }: Member): object {
  return { [pointer.slice(1)]: Object.values(bad)[0]?.[0] }
}

t.test('what the region requires is named with everything else, and a place only once', async (t) => {
  const errors = errorsOf({ phone: 5, type: 7, firstName: 'Алишер', x: 1 }, kzValidator())
  t.strictSame(
    errors.sort((a, b) => (a.pointer < b.pointer ? -1 : 1)),
    [
      { pointer: '/firstName', message: nameMessage },
      { pointer: '/lastName', message: 'is required by FreedomPay for this product and region' },
      { pointer: '/phone', message: typeMessage('string') },
      { pointer: '/resident', message: 'is required by FreedomPay for this product and region' },
      { pointer: '/type', message: kindMessage },
      { pointer: '/x', message: unknownMember },
    ],
  )
})

t.test('a body full of faults gets an answer of bounded length that still names the phone', async (t) => {
  const errors = errorsOf(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`x${i}`, i])))
  t.equal(errors.length, 64)
  t.strictSame(errors[0], { pointer: '/phone', message: 'is required' })
})

t.test('a nested object full of faults and names of megabytes get an answer of bounded length, too', async (t) => {
  const excess = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`x${i}`, i]))
  const errors = errorsOf({ phone: '+998901234567', registrationAddress: { ...excess, country: 'UZZ' } })
  t.equal(errors.length, 64)
  const [error] = errorsOf({ phone: '+998901234567', ['y'.repeat(1_000_000)]: 1 })
  t.equal(error?.pointer.length, 128)
})

/** Counts how often members are read. */
function countReads<T extends object>(object: T): { counted: T; reads: () => number } {
  let reads = 0
  const counted = new Proxy(object, {
    get(target, name, receiver) {
      reads++
      return Reflect.get(target, name, receiver)
    },
  })
  return { counted, reads: () => reads }
}

const manyUnknown = () => Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`x${i}`, i]))

t.test('of many unknown members only the first are looked at, and each known one', async (t) => {
  const body = countReads({ ...manyUnknown(), phone })
  const errors = errorsOf(body.counted)
  t.equal(errors.length, 64)
  t.notOk(errors.some(({ pointer }) => pointer === '/phone'))
  t.ok(body.reads() < 1000, `${body.reads()} reads`)

  const address = countReads({ ...manyUnknown(), country: 'UZB' })
  const ofAddress = errorsOf({ phone, registrationAddress: address.counted })
  t.equal(ofAddress.length, 64)
  t.notOk(ofAddress.some(({ pointer }) => pointer === '/registrationAddress/country'))
  t.ok(address.reads() < 1000, `${address.reads()} reads`)

  const deep = countReads(manyUnknown())
  t.strictSame(errorsOf({ phone, registrationAddress: { x: deep.counted } }), [
    { pointer: '/registrationAddress/x', message: unknownMember },
  ])
  t.equal(deep.reads(), 0)
})

t.test('the answer keeps its bounds where members are missing besides', async (t) => {
  t.equal(errorsOf(manyUnknown(), kzValidator()).length, 64)
})

t.test('any JSON is either taken as it is or refused with fixed messages, one for each place', async (t) => {
  const messages = new Set([
    'is required',
    unknownMember,
    addressMessage,
    ...table.flatMap(({ bad }) => Object.keys(bad)),
  ])
  const key = fc.oneof(fc.constantFrom(...members, '__proto__', 'country', 'city', 'identifiedAt'), fc.string())
  const likely = fc.constantFrom('UZB', 'uz', phone, 'individual', '1990-02-28', 'a@b.uz', 'JVBERi0=', 1000, true)
  const value = fc.oneof(likely, fc.jsonValue())
  const nested = fc.array(fc.tuple(key, value), { maxLength: 4 })
  const entries = fc.array(fc.tuple(key, fc.oneof(value, nested.map(Object.fromEntries))), { maxLength: 8 })
  const body = fc.oneof(entries.map(Object.fromEntries), fc.jsonValue())
  checkProperty(
    t,
    fc.property(body, (body) => {
      const before = structuredClone(body)
      const errors = errorsOf(body)
      const places = new Set(errors.map(({ pointer }) => pointer))
      fc.pre(places.size < 64)
      if (!isDeepStrictEqual(body, before)) return false
      if (errors.length === 0) return takenFrom(body) === body
      return places.size === errors.length && errors.every(({ message }) => messages.has(message))
    }),
    1000,
  )
})
