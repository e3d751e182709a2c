/** Limits the requests of one caller in a minute: for all replicas together where the ledger can count, otherwise for each process. */
import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { CountForAll } from '../ledger/ledger.ts'
import { Problem, safeToRetryUnread } from '../problems/problem.ts'

export interface CallerRateOptions {
  /** 0: no limit. */
  readonly perMinute: number
  /** Undefined: this process counts for itself. */
  readonly countForAll?: CountForAll | undefined
}

const windowMs = 60_000

export default fp(
  async function limitCallers(app: FastifyInstance, { perMinute, countForAll }: CallerRateOptions) {
    if (perMinute === 0) return
    await app.register(rateLimit, {
      global: false,
      max: perMinute,
      timeWindow: windowMs,
      enableDraftSpec: true,
      // Public pages have no caller, and cost no work of FreedomPay or of the ledger.
      allowList: ({ routeOptions }) => routeOptions.config.access === 'public',
      keyGenerator: ({ caller }) => caller,
      errorResponseBuilder: ({ headers }) => new Problem('rate-limited', { safeToRetry: safeToRetryUnread(headers) }),
      ...(countForAll && { store: sharedStore(countForAll) }),
    })
    // Before the hooks of the routes, so that requests that those hooks refuse are counted as well.
    app.addHook('onRequest', app.rateLimit())
  },
  { name: 'rate-limit', dependencies: ['authentication'] },
)

/** The limit must stop no caller when the shared count fails. Then the requests to this process alone count. */
function sharedStore(countForAll: CountForAll) {
  return class implements FastifyRateLimitStore {
    private counts = new Map<string, number>()
    private endsAt = 0

    incr(caller: string, done: Parameters<FastifyRateLimitStore['incr']>[1]): void {
      const own = this.countHere(caller)
      countForAll(caller, windowMs).then(
        ({ count, endsInMs }) => done(null, { current: count, ttl: endsInMs }),
        () => done(null, own),
      )
    }

    /** All callers have the same window here, so that the map never holds callers of before. */
    private countHere(caller: string) {
      const now = performance.now()
      if (now >= this.endsAt) {
        this.counts.clear()
        this.endsAt = now + windowMs
      }
      const current = (this.counts.get(caller) ?? 0) + 1
      this.counts.set(caller, current)
      return { current, ttl: Math.ceil(this.endsAt - now) }
    }

    /** Wanted by the interface: for limits of a single route, which do not exist here. */
    child(): this {
      return this
    }
  }
}
