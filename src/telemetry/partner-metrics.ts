/** Metrics of the calls to FreedomPay. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { PartnerObserver } from '../partner/card-api.ts'
import { results } from '../partner/outcome.ts'
import { type CircuitStateName, circuitStates } from '../partner/resilience.ts'
import { type Operation, paths } from '../partner/schema.ts'

export interface PartnerMetrics {
  readonly partnerRetries: Counter<'reason'>
  readonly setCircuitState: (state: CircuitStateName) => void
  readonly partnerObserver: PartnerObserver
}

export function createPartnerMetrics(registry: Registry, durationBuckets: number[]): PartnerMetrics {
  const registers = [registry]
  const duration = new Histogram({
    name: 'partner_request_duration_seconds',
    help: 'Time of one call to FreedomPay, from start to last byte, by its result',
    labelNames: ['operation', 'result'],
    buckets: durationBuckets,
    registers,
  })
  for (const operation of Object.keys(paths)) {
    for (const result of results) duration.zero({ operation, result })
  }
  let inFlight = 0
  new Gauge({
    name: 'partner_requests_in_flight',
    help: 'Calls to FreedomPay that have not ended yet',
    registers,
    collect() {
      this.set(inFlight)
    },
  })

  const partnerRetries = new Counter({
    name: 'partner_retries_total',
    help: 'Creates that were sent again, by the reason why that was safe',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of ['dns', 'refused', 'tls', 'timeout', 'throttled', 'misconfigured', 'no_such_request']) {
    partnerRetries.inc({ reason }, 0)
  }

  const partnerCircuitState = new Gauge({
    name: 'partner_circuit_state',
    help: 'State of the circuit breaker in front of FreedomPay: 1 for the present state, 0 for the others',
    labelNames: ['state'],
    registers,
  })
  const setCircuitState = (current: CircuitStateName) => {
    for (const state of circuitStates) partnerCircuitState.set({ state }, state === current ? 1 : 0)
  }
  setCircuitState('closed')

  return {
    partnerRetries,
    setCircuitState,
    partnerObserver: {
      started() {
        inFlight += 1
      },
      ended(operation: Operation, result, seconds) {
        inFlight -= 1
        duration.observe({ operation, result }, seconds)
      },
    },
  }
}
