import { type FastifyInstance, fastify } from 'fastify'
import t, { type Test } from 'tap'
import { unauthenticated } from '../../src/auth/bearer-token.ts'
import type { Authenticator } from '../../src/auth/caller.ts'
import authentication, { declarePublic } from '../../src/plugins/authentication.ts'
import errorHandler from '../../src/plugins/error-handler.ts'
import notFound from '../../src/plugins/not-found.ts'

/** Knows `good`, and `slow` a turn later. */
const authenticator: Authenticator = {
  authenticate(token) {
    if (token === 'good') return 'app'
    if (token === 'slow') return Promise.resolve('slow-app')
    if (token === 'slow-bad') return Promise.reject(unauthenticated('the key is not known'))
    throw unauthenticated('the key is not known')
  },
  scheme: { type: 'http', scheme: 'bearer', description: '' },
  stop() {},
}

async function build(
  t: Test,
  addRoutes: (app: FastifyInstance) => void,
  own: Authenticator | undefined = authenticator,
) {
  const app = fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(errorHandler)
  await app.register(notFound)
  await app.register(authentication, { authenticator: own })
  addRoutes(app)
  return app
}

function addTwo(app: FastifyInstance): void {
  app.get('/open', { config: { access: 'public' } }, async ({ caller }) => ({ caller }))
  app.get('/closed', { config: { access: 'private' } }, async ({ caller }) => ({ caller }))
}

t.test('a route that does not say who may call it keeps the service from starting', async (t) => {
  for (const config of [undefined, {}, { access: 'open' as never }]) {
    const app = await build(t, (app) => {
      addTwo(app)
      app.get('/silent', { config }, async () => 'x')
    })
    await t.rejects(async () => void (await app.ready()), {
      message: /^These routes do not say who may call them: GET \/silent; HEAD \/silent$/,
    })
  }
  await t.resolves(async () => void (await (await build(t, addTwo)).ready()))
})

t.test('a scope can declare for a plugin’s routes, but for its own alone, and not against them', async (t) => {
  const app = await build(t, (app) => {
    app.register(async (scope) => {
      declarePublic(scope)
      scope.register(async (plugin) => {
        plugin.get('/page', async () => 'page')
        plugin.get('/secret', { config: { access: 'private' } }, async () => 'secret')
      })
    })
  })
  t.equal((await app.inject('/page')).statusCode, 200)
  t.equal((await app.inject('/secret')).statusCode, 401)

  const other = await build(t, (app) => {
    app.register(async (scope) => declarePublic(scope))
    app.get('/outside', async () => 'x')
  })
  await t.rejects(async () => void (await other.ready()), { message: /GET \/outside/ })
})

t.test('a private route wants a credential, for every method, and a public one never looks', async (t) => {
  const app = await build(t, addTwo)
  const get = (url: string, authorization?: string) =>
    app.inject({ url, headers: authorization === undefined ? {} : { authorization } })
  t.equal((await get('/closed')).statusCode, 401)
  t.equal((await app.inject({ method: 'HEAD', url: '/closed' })).statusCode, 401)
  t.equal((await get('/closed', 'Bearer bad')).statusCode, 401)
  t.equal((await get('/closed', 'Bearer slow-bad')).statusCode, 401)
  t.strictSame((await get('/closed', 'Bearer good')).json(), { caller: 'app' })
  t.strictSame((await get('/closed', 'bearer  slow')).json(), { caller: 'slow-app' })
  for (const authorization of [undefined, 'Bearer bad', 'Bearer good']) {
    t.strictSame((await get('/open', authorization)).json(), { caller: '' })
  }
  t.equal((await get('/nowhere')).statusCode, 404, 'what is not there is not there for anybody')
})

t.test('without an authenticator every caller is anonymous, whatever it shows', async (t) => {
  const app = fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(authentication, { authenticator: undefined })
  addTwo(app)
  for (const headers of [{}, { authorization: 'Bearer good' }]) {
    t.strictSame((await app.inject({ url: '/closed', headers })).json(), { caller: 'anonymous' })
  }
})

t.test('a faulty authenticator lets nobody in', async (t) => {
  for (const authenticate of [
    () => {
      throw new Error('broken')
    },
    () => Promise.reject(new Error('broken')),
  ]) {
    const app = await build(t, addTwo, { ...authenticator, authenticate })
    t.equal((await app.inject({ url: '/closed', headers: { authorization: 'Bearer good' } })).statusCode, 500)
  }
})
