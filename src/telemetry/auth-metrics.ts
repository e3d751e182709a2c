/** Who called and how that ended, and whether secrets can be read. */
import { Counter, Gauge, type Registry } from 'prom-client'

export const callerOutcomes = ['ok', 'invalid', 'rate_limited', 'failed', 'hung_up'] as const
export type CallerOutcome = (typeof callerOutcomes)[number]

/** An issuer may know any number of callers; the rest of them share one label. */
const maxCallers = 1000
const otherCallers = 'other'

export interface AuthMetrics {
  /** `caller` is configured or verified, never a text that somebody chose. */
  readonly countCaller: (caller: string, statusCode: number) => void
  readonly observeSecret: (secret: string, isRead: boolean) => void
}

export function createAuthMetrics(registry: Registry): AuthMetrics {
  const registers = [registry]
  const counts = new Map<string, Record<CallerOutcome, number>>()
  new Counter({
    name: 'caller_requests_total',
    help: 'Requests of callers that are known, by how they ended',
    labelNames: ['caller', 'outcome'],
    registers,
    // Handed over when asked for: making a text of the labels costs more than the rest of the counting.
    collect() {
      this.reset()
      for (const [caller, ofCaller] of counts) {
        for (const outcome of callerOutcomes) this.inc({ caller, outcome }, ofCaller[outcome])
      }
    },
  })
  const readAt = new Gauge({
    name: 'secret_read_timestamp_seconds',
    help: 'When a secret, by its setting, could last be read',
    labelNames: ['secret'],
    registers,
  })
  const isFailed = new Gauge({
    name: 'secret_read_failed',
    help: 'Whether the last reading of a secret failed, or brought a faulty one: then the one before stays in use',
    labelNames: ['secret'],
    registers,
  })
  const failures = new Counter({
    name: 'secret_read_failures_total',
    help: 'Readings of a secret that failed, or brought a faulty one',
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
