import fc from 'fast-check'
import t from 'tap'
import type { CreateClient } from '../../../src/clients/body/schema.ts'
import { createBodyValidator } from '../../../src/clients/body/validation.ts'
import { toAddClientRequest } from '../../../src/clients/create/mapping.ts'
import { loadPartnerContract } from '../../fixtures/partner-contract.ts'
import { checkProperty } from '../../fixtures/property.ts'

const contract = loadPartnerContract()
const requestId = '828cf71d-a447-4a67-a149-c1df8bc197ca'
const phone = '+998901234567'
const defaults = { productId: 1000, branchId: undefined }

/** As it is sent: what JSON.stringify leaves out is absent. */
function send(body: CreateClient, settings: { productId: number; branchId: string | undefined } = defaults) {
  const sent = JSON.parse(JSON.stringify(toAddClientRequest(body, requestId, settings)))
  return { sent, faults: contract.checkRequest('add', sent) }
}

interface Row {
  ours: Partial<CreateClient>
  /** Beside the phone. */
  client?: object
  /** Beside the request id, the product and the client. */
  top?: object
}

const address = { country: 'UZB', postalCode: '100000', city: 'Tashkent', street: 'Amir Temur', building: '12-34' }
const theirAddress = {
  country: 'UZB',
  postal_code: '100000',
  address_line1: 'Tashkent',
  address_line2: 'Amir Temur',
  address_line3: '12-34',
}

const rows: Row[] = [
  { ours: {}, client: {} },
  { ours: { type: 'individual' }, client: { type: 1 } },
  { ours: { type: 'legal-entity' }, client: { type: 2 } },
  { ours: { type: 'individual-entrepreneur' }, client: { type: 3 } },
  { ours: { resident: true }, client: { resident: 1 } },
  { ours: { resident: false }, client: { resident: 2 } },
  { ours: { firstName: 'Alisher' }, client: { first_name: 'Alisher' } },
  { ours: { lastName: 'Navoiy' }, client: { last_name: 'Navoiy' } },
  { ours: { middleName: 'Gʻiyosiddin' }, client: { middle_name: 'Gʻiyosiddin' } },
  { ours: { birthDate: '1990-02-28' }, client: { birthdate: '1990-02-28' } },
  { ours: { email: 'alisher@example.com' }, client: { email: 'alisher@example.com' } },
  { ours: { country: 'UZB' }, client: { country: 'UZB' } },
  { ours: { personId: '0123' }, client: { person_id: '0123' } },
  { ours: { language: 'uz' }, client: { language: 'uz' } },
  { ours: { document: 'JVBERi0=' }, client: { document: 'JVBERi0=' } },
  { ours: { externalUserId: 'user-42' }, client: { external_user_id: 'user-42' } },
  { ours: { registrationAddress: address }, client: { address1: theirAddress } },
  { ours: { residentialAddress: address }, client: { address2: theirAddress } },
  { ours: { registrationAddress: { city: 'Tashkent' } }, client: { address1: { address_line1: 'Tashkent' } } },
  { ours: { residentialAddress: { country: 'UZB' } }, client: { address2: { country: 'UZB' } } },
  {
    ours: { identification: { identifiedAt: '2026-01-31T09:30:00+05:00', identifiedBy: 'operator-7' } },
    top: { identification_info: { idn_date: '2026-01-31T09:30:00+05:00', identified_by: 'operator-7' } },
  },
  { ours: { productId: 2000 }, top: { product_id: 2000 } },
  { ours: { branchId: '002' }, top: { branch_id: '002' } },
]

for (const { ours, client, top } of rows) {
  t.test(`${JSON.stringify(ours)} becomes FreedomPay's members and no others`, async (t) => {
    const { sent, faults } = send({ phone, ...ours })
    const expected = { request_id: requestId, product_id: 1000, client: { phone: 998901234567, ...client }, ...top }
    t.strictSame(sent, expected)
    t.strictSame(faults, [], 'conforms to the contract of FreedomPay')
  })
}

t.test('every member together conforms', async (t) => {
  const body = Object.assign({ phone }, ...rows.map(({ ours }) => ours))
  const { sent, faults } = send(body)
  t.strictSame(faults, [])
  t.strictSame(Object.keys(sent.client).length, 15, 'nothing is lost')
})

t.test('the defaults are injected, and the caller goes before them', async (t) => {
  const settings = { productId: 3000, branchId: '001' }
  t.match(send({ phone }, settings).sent, { product_id: 3000, branch_id: '001' })
  t.match(send({ phone, productId: 0, branchId: '002' }, settings).sent, { product_id: 0, branch_id: '002' })
})

t.test('the longest phone number is still exact as an integer', async (t) => {
  t.equal(send({ phone: '+999999999999999' }).sent.client.phone, 999_999_999_999_999)
  t.equal(send({ phone: '+1000000' }).sent.client.phone, 1_000_000)
})

t.test('the body of the caller is not touched', async (t) => {
  const body: CreateClient = Object.freeze({ phone, registrationAddress: Object.freeze({ city: 'Tashkent' }) })
  const before = structuredClone(body)
  toAddClientRequest(body, requestId, defaults)
  t.strictSame(body, before)
})

t.test('whatever our contract takes, the contract of FreedomPay takes', async (t) => {
  const validate = createBodyValidator({
    region: 'uz',
    defaultProductId: 1000,
    allowedProductIds: new Set([1000, 2000]),
    allowedBranchIds: new Set(['001']),
    alsoRequired: [],
  })
  const digits = (min: number, max: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: min, maxLength: max })
  const padded = (max: number) => fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, '0'))
  const year = fc.integer({ min: 0, max: 2030 }).map((n) => String(n).padStart(4, '0'))
  const date = fc.tuple(year, padded(13), padded(32)).map((parts) => parts.join('-'))
  const time = fc.tuple(padded(24), padded(60), padded(60)).map((parts) => parts.join(':'))
  const fraction = fc.oneof(
    fc.constant(''),
    digits(1, 9).map((text) => `.${text}`),
  )
  const offset = fc.oneof(
    fc.constantFrom('Z', 'z', '', '+05:00', '-00:00'),
    fc.tuple(fc.constantFrom('+', '-'), padded(24), padded(60)).map(([sign, h, m]) => `${sign}${h}:${m}`),
  )
  const instant = fc.tuple(date, fc.constantFrom('T', 't', ' '), time, fraction, offset).map((parts) => parts.join(''))
  const leapSecond = fc.tuple(date, padded(24), padded(60), offset).map(([d, h, m, o]) => `${d}T${h}:${m}:60${o}`)
  const text = fc.string({ unit: 'binary', maxLength: 12 })
  const theAddress = fc.record(
    { country: fc.constantFrom('UZB', 'KAZ'), postalCode: text, city: text, street: text, building: text },
    { requiredKeys: [] },
  )
  const identifiedAt = fc.oneof(
    instant,
    leapSecond,
    fc.constantFrom('2016-12-31T23:59:60Z', '2017-01-01T04:59:60+05:00'),
  )
  const body = fc.record(
    {
      phone: digits(6, 16).map((text) => `+${text}`),
      type: fc.constantFrom('individual', 'legal-entity', 'individual-entrepreneur'),
      resident: fc.boolean(),
      firstName: fc.constantFrom('Alisher', 'Oʻktam', "D'Arcy"),
      birthDate: date,
      email: fc.emailAddress(),
      country: fc.constantFrom('UZB', 'KAZ', 'KGZ'),
      personId: text,
      language: fc.constantFrom('uz', 'kk', 'ky', 'ru'),
      document: fc.constantFrom('JVBERi0=', 'JVBERi0xLjQK'),
      externalUserId: text,
      registrationAddress: theAddress,
      residentialAddress: theAddress,
      identification: fc.record({ identifiedAt, identifiedBy: text }),
      productId: fc.constantFrom(1000, 2000),
      branchId: fc.constant('001'),
    },
    { requiredKeys: ['phone'] },
  )
  let taken = 0
  // Few at a time, as every wrong member refuses the whole body.
  const few = fc.tuple(body, fc.uint8Array({ minLength: 1, maxLength: 2 })).map(([whole, picks]) => {
    const entries = Object.entries(whole).filter(([name]) => name !== 'phone')
    return { phone, ...Object.fromEntries(entries.filter((_, i) => picks.some((pick) => pick % entries.length === i))) }
  })
  const bodies = fc.oneof(body, few)
  checkProperty(
    t,
    fc.property(bodies, (candidate) => {
      const result = validate(candidate)
      if ('error' in result) return true
      taken++
      return send(result.value).faults.length === 0
    }),
    1000,
  )
  t.ok(taken > 100, `${taken} bodies were valid`)
})
