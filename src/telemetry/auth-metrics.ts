/** Metrics of callers and of secrets. */
import { Counter, Gauge, type Registry } from 'prom-client'

export const callerOutcomes = ['ok', 'invalid', 'rate_limited', 'failed', 'hung_up'] as const
export type CallerOutcome = (typeof callerOutcomes)[number]

/** An issuer may know any number of callers. The callers beyond this number share one label. */
const maxCallers = 1000
/** No caller has this name: the name of a caller has no space. */
const otherCallers = 'other callers'

export interface AuthMetrics {
  /** `caller` is configured or verified; an unverified text must never become a label. */
  readonly countCaller: (caller: string, statusCode: number) => void
  readonly observeSecret: (secret: string, isRead: boolean) => void
}

export function createAuthMetrics(registry: Registry): AuthMetrics {
  const registers = [registry]
  const counts = new Map<string, Record<CallerOutcome, number>>()
  new Counter({
    name: 'caller_requests_total',
    help: 'Requests of known callers, by their outcome',
    labelNames: ['caller', 'outcome'],
    registers,
    // At the scrape only: prom-client makes a text of the labels at each `inc`, which costs more than the counting.
    collect() {
      this.reset()
      for (const [caller, ofCaller] of counts) {
        for (const outcome of callerOutcomes) this.inc({ caller, outcome }, ofCaller[outcome])
      }
    },
  })
  const readAt = new Gauge({
    name: 'secret_read_timestamp_seconds',
    help: 'Time of the last successful reading of a secret, by the name of its setting',
    labelNames: ['secret'],
    registers,
  })
  const isFailed = new Gauge({
    name: 'secret_read_failed',
    help: '1 while the last reading of a secret failed or gave a faulty text: the secret before stays in use',
    labelNames: ['secret'],
    registers,
  })
  const failures = new Counter({
    name: 'secret_read_failures_total',
    help: 'Readings of a secret that failed or gave a faulty text',
    labelNames: ['secret'],
    registers,
  })

  function countsOf(caller: string): Record<CallerOutcome, number> {
    const known = counts.get(caller)
    if (known !== undefined) return known
    if (counts.size >= maxCallers && caller !== otherCallers) return countsOf(otherCallers)
    const fresh = { ok: 0, invalid: 0, rate_limited: 0, failed: 0, hung_up: 0 }
    counts.set(caller, fresh)
    return fresh
  }

  return {
    countCaller(caller, statusCode) {
      countsOf(caller)[toOutcome(statusCode)]++
    },
    observeSecret(secret, isRead) {
      if (isRead) readAt.set({ secret }, Date.now() / 1000)
      isFailed.set({ secret }, isRead ? 0 : 1)
      failures.inc({ secret }, isRead ? 0 : 1)
    },
  }
}

function toOutcome(statusCode: number): CallerOutcome {
  if (statusCode === 499) return 'hung_up'
  if (statusCode === 429) return 'rate_limited'
  if (statusCode >= 500) return 'failed'
  return statusCode >= 400 ? 'invalid' : 'ok'
}
