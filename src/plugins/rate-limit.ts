/** How many requests one caller may send in a minute, counted by this process. */
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../problems/problem.ts'

export interface CallerRateOptions {
  /** 0: any number. */
  readonly perMinute: number
}

export default fp(
  async function callerRate(app: FastifyInstance, { perMinute }: CallerRateOptions) {
    if (perMinute === 0) return
    await app.register(rateLimit, {
      global: false,
      max: perMinute,
      timeWindow: 60_000,
      enableDraftSpec: true,
      // Pages are nobody's, and need nothing of the partner's or of the ledger's.
      allowList: ({ routeOptions }) => routeOptions.config.access === 'public',
      keyGenerator: ({ caller }) => caller,
      errorResponseBuilder: ({ headers }) =>
        // With a key, an earlier request may have gone further: the ledger was not asked.
        new Problem('rate-limited', headers['idempotency-key'] === undefined ? {} : { safeToRetry: 'same-key-only' }),
    })
    // Before the hooks of the routes: what those refuse counts as well.
    app.addHook('onRequest', app.rateLimit())
  },
  { name: 'caller-rate', dependencies: ['authentication'] },
)
