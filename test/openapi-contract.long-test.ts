/** The document and the service judge the same bodies: what the one takes, the other takes, but for a listed few. */
import { randomInt } from 'node:crypto'
import fc, { type Arbitrary } from 'fast-check'
import t, { type Test } from 'tap'
import { createCheck, loadOpenApi, type Schema } from './fixtures/openapi.ts'
import { startTestService } from './fixtures/service.ts'

const openApi = loadOpenApi()
const check = createCheck(openApi)
const bodySchema = openApi.components.schemas.CreateClient ?? {}
const properties = bodySchema.properties as Record<string, Schema>

/** What a regular expression with look-aheads describes, made another way; the document itself judges what comes of it. */
const made: Record<string, Arbitrary<unknown>> = {
  name: fc.string({ unit: fc.constantFrom(...'AbzÉßőǅʻ’ -.'), minLength: 1, maxLength: 100 }),
  email: fc
    .tuple(
      fc.stringMatching(/^[a-z0-9+_-]{1,20}$/),
      fc.stringMatching(/^[a-z0-9]{1,20}$/),
      fc.constantFrom('uz', 'com'),
    )
    .map(([name, host, top]) => `${name}@${host}.${top}`),
  document: fc
    .uint8Array({ maxLength: 40 })
    .map((bytes) => Buffer.concat([Buffer.from('%PDF-'), bytes]).toString('base64')),
  instant: fc
    .tuple(
      fc.date({ min: new Date(0), max: new Date('2099-12-31'), noInvalidDate: true }),
      fc.constantFrom('Z', '+05:00', '-11:30'),
    )
    .map(([date, zone]) => date.toISOString().replace('Z', zone)),
  pastDate: fc
    .date({ min: new Date('1900-01-01'), max: new Date('2020-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10)),
}

function resolve(schema: Schema): Schema {
  const name = typeof schema.$ref === 'string' ? schema.$ref.split('/').at(-1) : undefined
  return name === undefined ? schema : (openApi.components.schemas[name] ?? {})
}

/** Values that the schema takes. */
function valuesOf(reference: Schema): Arbitrary<unknown> {
  const schema = resolve(reference)
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum)
  if (schema.type === 'boolean') return fc.boolean()
  if (schema.type === 'object') return objectsOf(schema)
  return textsOf(schema).filter((value) => check(schema, value).length === 0)
}

function textsOf({ format, contentEncoding, maxLength, pattern }: Schema): Arbitrary<unknown> {
  if (format === 'date') return made.pastDate ?? fc.string()
  if (format === 'date-time') return made.instant ?? fc.string()
  if (format === 'email') return made.email ?? fc.string()
  if (contentEncoding !== undefined) return made.document ?? fc.string()
  if (String(pattern).includes('(?=')) return made.name ?? fc.string()
  if (maxLength === undefined) return fc.stringMatching(new RegExp(String(pattern)))
  return fc.string({ unit: 'grapheme', minLength: 1, maxLength: Number(maxLength) })
}

function objectsOf(schema: Schema): Arbitrary<unknown> {
  const members = Object.entries(schema.properties as Record<string, Schema>)
  // Which products and branches there are is a matter of the settings.
  const known = members.filter(([name]) => name !== 'productId' && name !== 'branchId')
  const model = Object.fromEntries(known.map(([name, member]) => [name, valuesOf(member)]))
  return fc
    .record(model, { requiredKeys: (schema.required ?? []) as string[] })
    .filter((value) => Object.keys(value).length > 0)
}

/** Whatever may stand where something else was expected. */
const anything = fc.oneof(
  fc.constantFrom(
    null,
    '',
    ' ',
    0,
    -1,
    1.5,
    true,
    [],
    {},
    'UZB',
    '+998901234567',
    '2026-02-30',
    '1990-02-29',
    'a@b',
    'a\u0000b',
    'Я',
  ),
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 250, maxLength: 300 }),
  fc.stringMatching(/^JVBERi[0-4A][A-Za-z0-9+/=]{0,9}$/),
  fc.stringMatching(/^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|\+[0-9]{2}:[0-9]{2})?)?$/),
)

type Body = Record<string, unknown>

/** A body with one fault, or with none after all: the document says. */
function spoiled(bodies: Arbitrary<unknown>): Arbitrary<Body> {
  const members = Object.keys(properties).filter((name) => name !== 'productId' && name !== 'branchId')
  const change = fc.oneof(
    fc.record({ member: fc.constantFrom(...members), value: anything }),
    fc.record({ member: fc.constantFrom('nickname', 'Phone', '__proto'), value: anything }),
    fc.record({ member: fc.constant('phone'), value: fc.constant(undefined) }),
    fc.record({
      member: fc.constantFrom('registrationAddress', 'residentialAddress', 'identification'),
      value: fc.dictionary(fc.constantFrom('country', 'city', 'identifiedAt', 'identifiedBy', 'x'), anything, {
        maxKeys: 3,
      }),
    }),
  )
  return fc.tuple(bodies, change).map(([body, { member, value }]) => ({ ...(body as Body), [member]: value }))
}

/** What JSON Schema cannot say. */
const exceptions: [why: string, isOne: (body: Body) => boolean][] = [
  ['a date of birth in the future', ({ birthDate }) => typeof birthDate === 'string' && birthDate > '2020-01-01'],
  [
    'half a surrogate pair, which portable patterns let through',
    (body) => !JSON.stringify(body).isWellFormed() || /\\ud[89a-f]/i.test(JSON.stringify(body)),
  ],
]

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}

interface Comparison {
  taken: number
  refused: number
  /** Where the two do not agree. */
  readonly disagreements: { body: string; answer: string; faults: string[] }[]
}

async function compare(t: Test, bodies: readonly Body[]): Promise<Comparison> {
  const service = await startTestService(t, { settings: { CREATE_WAIT_MS: '0', REQUEST_DEADLINE_MS: '2000' } })
  const comparison: Comparison = { taken: 0, refused: 0, disagreements: [] }
  for (const some of chunk(bodies, 20)) {
    await Promise.all(
      some.map(async (body) => {
        const faults = findFaults(body)
        const { statusCode, text } = await service.create(body)
        const isTaken = statusCode !== 400
        if (isTaken) comparison.taken += 1
        else comparison.refused += 1
        if (isTaken === (faults.length === 0) || exceptions.some(([, isOne]) => isOne(body))) return
        comparison.disagreements.push({ body: JSON.stringify(body), answer: text, faults })
      }),
    )
  }
  return comparison
}

function findFaults(body: Body): string[] {
  return check({ $ref: '#/components/schemas/CreateClient' }, JSON.parse(JSON.stringify(body)))
}

const seed = randomInt(2 ** 31)

t.test('the service takes 200 bodies that are made from the document', async (t) => {
  t.comment(`fast-check seed ${seed}`)
  const bodies = fc.sample(objectsOf(bodySchema) as Arbitrary<Body>, { numRuns: 200, seed })
  t.strictSame(await compare(t, bodies), { taken: 200, refused: 0, disagreements: [] })
})

t.test('the service refuses what the document refuses, of 200 bodies that were spoiled', async (t) => {
  t.comment(`fast-check seed ${seed}`)
  const bodies = fc.sample(
    spoiled(objectsOf(bodySchema)).filter((body) => findFaults(body).length > 0),
    { numRuns: 200, seed },
  )
  t.strictSame(await compare(t, bodies), { taken: 0, refused: 200, disagreements: [] })
})

t.test('the document may take what a setting or the calendar refuses, and nothing else', async (t) => {
  const service = await startTestService(t)
  const tooLarge = Buffer.alloc(2 * 1024 * 1024 + 1, ' ')
  tooLarge.write('%PDF-')
  const phone = '+998901234567'
  const bodies: Body[] = [
    { phone, birthDate: '2999-01-01' },
    { phone, productId: 7 },
    { phone, branchId: 'elsewhere' },
    { phone, document: tooLarge.toString('base64') },
  ]
  for (const body of bodies) {
    t.strictSame(findFaults(body), [])
    t.equal((await service.create(body)).statusCode, 400)
  }
})
