import { fastify } from 'fastify'
import t, { type Test } from 'tap'
import { createClientSchema, readRequestSchema } from '../../src/clients/route-schemas.ts'
import schemaCompilers, { noDefaultCompilers } from '../../src/plugins/schema-compilers.ts'
import { Problem } from '../../src/problems/problem.ts'

const requestId = '0b9f5c1e-6d0c-5f0e-9d86-1c6a3f4b2a10'
const updatedAt = '2026-01-31T04:30:00.000Z'

/** Sends a value through the serialiser of the service, as compiled from the route's schema for that status and media type. */
async function serialise(t: Test, schema: object, status: number, value: object, mediaType = 'application/json') {
  const app = fastify({ schemaController: { compilersFactory: noDefaultCompilers } })
  t.teardown(() => app.close())
  await app.register(schemaCompilers)
  app.get('/', { schema, handler: (_request, reply) => reply.code(status).type(mediaType).send(value) })
  return (await app.inject('/')).body
}

const { response } = createClientSchema

t.test('an answer has the members of its schema and no other, and none that is undefined', async (t) => {
  const created = { requestId, status: 'created', clientId: undefined, updatedAt, phone: '+998901234567' }
  t.equal(await serialise(t, { response }, 201, created), JSON.stringify({ requestId, status: 'created', updatedAt }))
  t.strictSame(JSON.parse(await serialise(t, { response }, 201, { ...created, clientId: 'c-1' })).clientId, 'c-1')
  const pending = { requestId, status: 'unknown', clientId: 'c-1', updatedAt }
  t.strictSame(JSON.parse(await serialise(t, { response }, 202, pending)), { requestId, status: 'unknown', updatedAt })
  const { response: readResponse } = readRequestSchema
  const rejected = { requestId, status: 'rejected', clientId: undefined, partner: { code: '1', x: 1 }, updatedAt, x: 1 }
  t.strictSame(JSON.parse(await serialise(t, { response: readResponse }, 200, rejected)), {
    requestId,
    status: 'rejected',
    partner: { code: '1' },
    updatedAt,
  })
})

t.test('a problem has the members of its schema and no other, and none that is undefined', async (t) => {
  const mediaType = 'application/problem+json'
  const bare = new Problem('internal').body
  t.strictSame(
    JSON.parse(await serialise(t, { response }, 500, { ...bare, stack: 'secret' }, mediaType)),
    JSON.parse(JSON.stringify(bare)),
  )
  const errors = [{ pointer: '/a~1b', message: '"quoted" \u2028' }]
  const invalid = new Problem('invalid-request', { errors }).body
  t.strictSame(
    JSON.parse(await serialise(t, { response }, 400, invalid, mediaType)),
    JSON.parse(JSON.stringify(invalid)),
  )
  const full = new Problem('partner-rejected', { requestId, partner: { code: '1', description: undefined } }).body
  t.strictSame(JSON.parse(await serialise(t, { response }, 422, full, mediaType)), JSON.parse(JSON.stringify(full)))
})
