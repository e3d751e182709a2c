/** Limits the requests of one caller in a minute. Each process counts for itself. */
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../problems/problem.ts'

export interface CallerRateOptions {
  /** 0: no limit. */
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
      // Public pages have no caller, and cost no work of FreedomPay or of the ledger.
      allowList: ({ routeOptions }) => routeOptions.config.access === 'public',
      keyGenerator: ({ caller }) => caller,
      errorResponseBuilder: ({ headers }) =>
        // With a key, an earlier attempt may have reached FreedomPay: the ledger was not asked.
        new Problem('rate-limited', headers['idempotency-key'] === undefined ? {} : { safeToRetry: 'same-key-only' }),
    })
    // Before the hooks of the routes, so that requests that those hooks refuse are counted as well.
    app.addHook('onRequest', app.rateLimit())
  },
  { name: 'caller-rate', dependencies: ['authentication'] },
)
