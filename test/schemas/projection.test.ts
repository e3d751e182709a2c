import t from 'tap'
import Type, { type TSchema } from 'typebox'
import { compileProjection } from '../../src/schemas/projection.ts'

const secret = 's'
const Named = Type.Object({ name: Type.String() })
const Cat = Type.Object({ kind: Type.Literal('cat'), lives: Type.Integer() })
const Dog = Type.Object({ kind: Type.Enum(['dog', 'wolf']), name: Type.String() })

const table: [name: string, schema: TSchema, value: unknown, kept: unknown][] = [
  ['an object', Named, { name: 'a', secret }, { name: 'a' }],
  ['an absent member', Named, { secret }, {}],
  ['a nested object', Type.Object({ in: Named }), { in: { name: 'a', secret }, secret }, { in: { name: 'a' } }],
  ['an array', Type.Array(Named), [{ name: 'a', secret }], [{ name: 'a' }]],
  ['an array of texts', Type.Array(Type.String()), ['a'], ['a']],
  ['an object that names nothing', Type.Object({}), { secret }, {}],
  ['a text', Type.String(), 'a', 'a'],
  ['null', Type.Object({ name: Type.Null() }), { name: null }, { name: null }],
  ['anything', Type.Object({ any: Type.Unknown() }), { any: { name: 'a' } }, { any: { name: 'a' } }],
  ['an object in the place of a text', Named, { name: { secret } }, { name: undefined }],
  [
    'an object in the place of a word',
    Type.Object({ kind: Type.Enum(['a']) }),
    { kind: { secret } },
    { kind: undefined },
  ],
  ['an array in the place of an object', Type.Object({ in: Named }), { in: [{ secret }] }, { in: undefined }],
  ['an object in the place of an array', Type.Object({ in: Type.Array(Named) }), { in: { secret } }, { in: undefined }],
  ['a union by a literal', Type.Union([Cat, Dog]), { kind: 'cat', lives: 9, name: secret }, { kind: 'cat', lives: 9 }],
  ['a union by a word', Type.Union([Cat, Dog]), { kind: 'wolf', lives: 9, name: 'a' }, { kind: 'wolf', name: 'a' }],
  ['exactly one of', { oneOf: [Cat, Dog] }, { kind: 'dog', lives: 9 }, { kind: 'dog' }],
  ['no case of a union', Type.Union([Cat, Dog]), { kind: 'cow', name: 'a', secret }, { kind: 'cow', name: 'a' }],
  ['null or an object', Type.Union([Type.Null(), Named]), { name: 'a', secret }, { name: 'a' }],
  ['null, not an object', Type.Union([Named, Type.Null()]), null, null],
  ['an array or an object', Type.Union([Type.Array(Named), Named]), [{ name: 'a', secret }], [{ name: 'a' }]],
]

for (const [name, schema, value, kept] of table) {
  t.test(`of ${name} there leaves no more than the schema names`, async (t) => {
    const before = structuredClone(value)
    t.strictSame(compileProjection(schema)(value), kept)
    t.strictSame(value, before, 'the value itself is not touched')
  })
}

t.test('a date leaves as the text that JSON makes of it', async (t) => {
  const at = new Date(0)
  t.equal(
    JSON.stringify(compileProjection(Type.Object({ at: Type.String() }))({ at })),
    '{"at":"1970-01-01T00:00:00.000Z"}',
  )
})

t.test('a schema that cannot be followed is refused when the route is added, not let through', async (t) => {
  const unknown: TSchema[] = [Type.Intersect([Named, Cat]), Type.Record(Type.String(), Named), { $ref: 'x' }]
  for (const schema of unknown) {
    t.throws(() => compileProjection({ type: 'object', properties: { in: schema } }), /cannot have/)
  }
})
