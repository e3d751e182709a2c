import t from 'tap'
import { finishDocument } from '../../src/plugins/openapi-document.ts'

function documentWith(...schemas: object[]) {
  const responses = Object.fromEntries(
    schemas.map((schema, i) => [200 + i, { content: { 'application/json': { schema } } }]),
  )
  return { paths: { '/a': { get: { responses } } }, components: { securitySchemes: {} } }
}

t.test('schemas with a title move to their own place, inner ones too, and everything else stays', (t) => {
  const inner = { title: 'Inner', type: 'string' }
  const outer = { title: 'Outer', type: 'object', properties: { one: inner, many: { type: 'array', items: inner } } }
  const { paths, components } = finishDocument(documentWith(outer, outer, { type: 'integer', minimum: 1 }))
  t.strictSame(components, {
    securitySchemes: {},
    schemas: {
      Inner: { type: 'string' },
      Outer: {
        type: 'object',
        properties: {
          one: { $ref: '#/components/schemas/Inner' },
          many: { type: 'array', items: { $ref: '#/components/schemas/Inner' } },
        },
      },
    },
  })
  const schemaOf = (status: number) => paths['/a'].get.responses[status]?.content['application/json'].schema
  t.strictSame(schemaOf(200), { $ref: '#/components/schemas/Outer' })
  t.strictSame(schemaOf(201), { $ref: '#/components/schemas/Outer' })
  t.strictSame(schemaOf(202), { type: 'integer', minimum: 1 })
  t.end()
})

t.test('two different schemas of one name are an error, not a silent choice', (t) => {
  const document = documentWith({ title: 'A', type: 'string' }, { title: 'A', type: 'integer' })
  t.throws(() => finishDocument(document), { message: 'Two different schemas are named A' })
  t.end()
})

t.test('the words are those of OpenAPI 3.1, and an enum of texts has a type', (t) => {
  const document = documentWith(
    { type: 'string', format: 'byte' },
    { enum: ['a'] },
    { enum: [1, 'a'] },
    { format: 'uuid' },
  )
  const { responses } = finishDocument(document).paths['/a'].get
  const schemas = Object.values(responses).map(({ content }) => content['application/json'].schema)
  t.strictSame(schemas, [
    { type: 'string', contentEncoding: 'base64' },
    { enum: ['a'], type: 'string' },
    { enum: [1, 'a'] },
    { format: 'uuid' },
  ])
  t.strictSame(finishDocument({}), { components: { schemas: {} } })
  t.end()
})
