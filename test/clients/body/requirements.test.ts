import t from 'tap'
import { createRequirementsCheck, type Requirements } from '../../../src/clients/body/requirements.ts'
import type { Region } from '../../../src/partner/regions.ts'

const everything = {
  phone: '+998901234567',
  type: 'individual',
  resident: false,
  firstName: 'Alisher',
  lastName: 'Navoiy',
  country: 'UZB',
  personId: '12345678901234',
  document: 'JVBERi0=',
  registrationAddress: { country: 'UZB', postalCode: '100000', city: 'Tashkent', street: 'Amir Temur', building: '12' },
  residentialAddress: { country: 'UZB', postalCode: '100000' },
}

const kzPage = ['/type', '/resident', '/firstName', '/lastName']
const walletCard = [
  '/firstName',
  '/lastName',
  '/country',
  '/personId',
  '/document',
  '/registrationAddress/country',
  '/registrationAddress/postalCode',
  '/registrationAddress/city',
  '/registrationAddress/street',
  '/registrationAddress/building',
  '/residentialAddress/country',
  '/residentialAddress/postalCode',
]

const table: Record<Region, Record<number, string[]>> = {
  uz: { 1000: [], 2000: [], 3000: [] },
  kz: { 1000: [...new Set([...kzPage, ...walletCard])], 2000: kzPage, 3000: kzPage },
  kg: { 1000: walletCard, 2000: [], 3000: [] },
}

function requirements(settings: Partial<Requirements>): Requirements {
  return {
    region: 'uz',
    defaultProductId: 1000,
    allowedProductIds: new Set([1000, 2000, 3000]),
    allowedBranchIds: new Set(),
    alsoRequired: [],
    ...settings,
  }
}

function without(pointer: string): Record<string, unknown> {
  const body: Record<string, unknown> = structuredClone(everything)
  const path = pointer.slice(1).split('/')
  const last = path.pop() ?? ''
  const parent = path.reduce((value, member) => value[member] as Record<string, unknown>, body)
  delete parent[last]
  return body
}

for (const region of ['uz', 'kz', 'kg'] as const) {
  for (const productId of [1000, 2000, 3000]) {
    const expected = table[region][productId] ?? []

    t.test(`${region} requires ${expected.length} members beyond phone for product ${productId}`, async (t) => {
      const settings = requirements({ region, defaultProductId: productId })
      const errors = createRequirementsCheck(settings)({ phone: everything.phone })
      t.strictSame(errors.map(({ pointer }) => pointer).sort(), [...expected].sort(), 'all are named at once')
      t.ok(errors.every(({ message }) => message === 'is required by FreedomPay for this product and region'))
      t.strictSame(createRequirementsCheck(settings)(everything), [], 'nothing else is required')
      for (const pointer of expected) {
        const missing = createRequirementsCheck(settings)(without(pointer)).map((error) => error.pointer)
        t.strictSame(missing, [pointer])
      }
    })

    t.test(`${region} requires the same of a caller that asks for product ${productId}`, async (t) => {
      const errors = createRequirementsCheck(requirements({ region, defaultProductId: 4000 }))({ productId })
      t.strictSame(errors.map(({ pointer }) => pointer).sort(), [...expected].sort())
    })
  }
}

t.test('a product that nobody has described requires only what its region does', async (t) => {
  const settings = requirements({ region: 'kz', defaultProductId: 4000 })
  t.strictSame(
    createRequirementsCheck(settings)({}).map(({ pointer }) => pointer),
    kzPage,
  )
})

t.test('the members of the settings are required as well, each named once', async (t) => {
  const settings = requirements({ region: 'kz', defaultProductId: 2000, alsoRequired: ['email', 'type', 'document'] })
  const pointers = createRequirementsCheck(settings)({}).map(({ pointer }) => pointer)
  t.strictSame(pointers, [...kzPage, '/email', '/document'])
  t.strictSame(createRequirementsCheck(settings)({ ...everything, email: 'a@example.com' }), [])
})

t.test('false is a value, and null is left to the schema', async (t) => {
  const settings = requirements({ alsoRequired: ['resident', 'email'] })
  t.strictSame(createRequirementsCheck(settings)({ resident: false, email: null }), [])
})

t.test('an address that is no object has none of its members', async (t) => {
  const settings = requirements({ region: 'kg' })
  for (const registrationAddress of [undefined, null, 'Tashkent', 5]) {
    const pointers = createRequirementsCheck(settings)({ ...everything, registrationAddress }).map((e) => e.pointer)
    t.equal(pointers.length, 5)
    t.ok(pointers.every((pointer) => pointer.startsWith('/registrationAddress/')))
  }
})

t.test('a product of another type is left to the schema, and the default one decides what is required', async (t) => {
  const errors = createRequirementsCheck(requirements({ region: 'kg' }))({ productId: '2000' })
  t.equal(errors.filter(({ pointer }) => pointer !== '/productId').length, walletCard.length)
})

t.test('only products and branches of the allow-lists are taken, and the message names those', async (t) => {
  const settings = requirements({ allowedProductIds: new Set([1000, 2000]), allowedBranchIds: new Set(['a', 'b']) })
  t.strictSame(createRequirementsCheck(settings)({ productId: 2000, branchId: 'b' }), [])
  t.strictSame(createRequirementsCheck(settings)({ productId: 3000, branchId: 'c' }), [
    { pointer: '/productId', message: 'must be one of: 1000, 2000' },
    { pointer: '/branchId', message: 'must be one of: a, b' },
  ])
})

t.test('without an allow-list no branch is taken', async (t) => {
  t.strictSame(createRequirementsCheck(requirements({}))({ branchId: 'a' }), [
    { pointer: '/branchId', message: 'must be one of: (none is allowed here; leave it out)' },
  ])
})
