import { type FastifyInstance, fastify } from 'fastify'
import t, { type Test } from 'tap'
import type { CountForAll } from '../../src/ledger/ledger.ts'
import authentication from '../../src/plugins/authentication.ts'
import errorHandler from '../../src/plugins/error-handler.ts'
import callerRate from '../../src/plugins/rate-limit.ts'

/** One private route that may be asked twice in a minute. */
async function build(t: Test, countForAll?: CountForAll) {
  const app = fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(errorHandler)
  await app.register(authentication, { authenticator: undefined })
  await app.register(callerRate, { perMinute: 2, countForAll })
  app.get('/', { config: { access: 'private' } }, async () => 'ok')
  return (headers: Record<string, string> = {}) => app.inject({ url: '/', headers })
}

const away: CountForAll = () => Promise.reject(new Error('away'))

for (const [name, countForAll] of Object.entries({ 'this process': undefined, 'a ledger that is away': away })) {
  t.test(`counted by ${name}: a request above the limit may be sent again, with its key if it had one`, async (t) => {
    const ask = await build(t, countForAll)
    for (let i = 0; i < 2; i++) t.equal((await ask()).statusCode, 200)
    // The ledger was not asked for the key, so an earlier attempt may have reached FreedomPay.
    for (const [headers, safeToRetry] of [
      [{}, 'yes'],
      [{ 'idempotency-key': 'order-1' }, 'same-key-only'],
    ] as const) {
      const refused = await ask(headers)
      t.match(refused.headers['retry-after'], /^[1-9]\d?$/)
      t.match(refused.json(), { status: 429, code: 'rate-limited', safeToRetry })
    }
  })
}
