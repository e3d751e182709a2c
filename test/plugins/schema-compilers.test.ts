import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import Type from 'typebox'
import { buildApp } from '../../src/app.ts'
import { buildOps } from '../../src/ops.ts'
import { appParts } from '../fixtures/app-parts.ts'
import { call } from '../fixtures/service.ts'

const parts = appParts()
const { log, metrics, lifecycle } = parts

const Named = Type.Object({ name: Type.String() }, { additionalProperties: false })

/** As an engineer would who has read nothing but Fastify's documentation. */
function addRoute(app: FastifyInstance): void {
  app.post<{ Body: { name: string }; Params: { id: string }; Querystring: { page?: string } }>('/things/:id', {
    config: { access: 'public' },
    schema: {
      body: Named,
      params: Type.Object({ id: Type.String({ format: 'uuid' }) }),
      querystring: Type.Object(
        { page: Type.Optional(Type.String({ pattern: '^[0-9]+$' })) },
        { additionalProperties: false },
      ),
      response: { 200: Type.Object({ thing: Named, list: Type.Array(Named) }) },
    },
    handler: async ({ body }) => ({ thing: { ...body, secret: 1 }, list: [{ ...body, secret: 1 }], secret: 1 }),
  })
}

const listeners = {
  public: () => buildApp(parts),
  operations: () => buildOps({ log, metrics, lifecycle }),
}
const id = '7d1f0a52-3c9e-4b8a-9f61-2e5d8c7b4a90'

async function start(t: Test, build: () => Promise<FastifyInstance>) {
  const app = await build()
  t.teardown(() => app.close())
  addRoute(app)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  return (path: string, body: unknown) =>
    call(`${url}/things/${path}`, 'POST', { 'content-type': 'application/json' }, JSON.stringify(body))
}

for (const [name, build] of Object.entries(listeners)) {
  t.test(`a new route of the ${name} listener takes what its schemas allow, and tells what they name`, async (t) => {
    const post = await start(t, build)
    const { statusCode, body } = await post(`${id}?page=2`, { name: 'a' })
    t.equal(statusCode, 200)
    t.strictSame(body, { thing: { name: 'a' }, list: [{ name: 'a' }] }, 'no member that the schema does not name')
  })

  t.test(`a new route of the ${name} listener refuses everything else with a problem`, async (t) => {
    const post = await start(t, build)
    const good = { name: 'a' }
    const refused: [path: string, body: unknown, pointer: string, message: string][] = [
      [id, { ...good, secret: 1 }, '/secret', 'is not a member of this contract; remove it'],
      [id, {}, '/name', 'is required'],
      [id, { name: 1 }, '/name', 'must be of type string'],
      [id, null, '', 'must be of type object'],
      ['no-uuid', good, 'id', 'must be a UUID'],
      [`${id}?page=x`, good, 'page', 'must match pattern "^[0-9]+$"'],
      [`${id}?sort=x`, good, 'sort', 'is not a member of this contract; remove it'],
    ]
    for (const [path, sent, pointer, message] of refused) {
      const { statusCode, headers, body } = await post(path, sent)
      t.equal(statusCode, 400, pointer)
      t.match(headers['content-type'], /^application\/problem\+json/, pointer)
      t.equal(body.code, 'invalid-request')
      t.strictSame(body.errors, [{ pointer, message }])
    }
  })
}

t.test('POST /clients itself is refused with the sentences of its own contract, and counted', async (t) => {
  const app = await buildApp(parts)
  t.teardown(() => app.close())
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const answer = await call(`${url}/clients`, 'POST', { 'content-type': 'application/json' }, '{"phone":"1","x":1}')
  t.equal(answer.statusCode, 400)
  t.strictSame(answer.body.errors, [
    { pointer: '/x', message: 'is not a member of this contract; remove it' },
    { pointer: '/phone', message: 'must be a phone number in E.164 form, such as +998901234567' },
  ])
  t.match(await metrics.registry.metrics(), 'clients_create_total{outcome="invalid"} 1')
})
