/** Every metric of the service, on a registry of its own. No label holds a value from the body of a request. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type LabelValues, Registry } from 'prom-client'
import type { LedgerStats } from '../ledger/ledger.ts'
import type { ProblemCode } from '../problems/catalogue.ts'
import { type AuthMetrics, createAuthMetrics } from './auth-metrics.ts'
import { createLedgerMetrics, type LedgerMetrics } from './ledger-metrics.ts'
import { createPartnerMetrics, type PartnerMetrics } from './partner-metrics.ts'

export const createOutcomes = [
  'created',
  'processing',
  'unknown',
  'rejected',
  'invalid',
  'not_sent',
  'overloaded',
  'misconfigured',
  'replayed',
] as const
export type CreateOutcome = (typeof createOutcomes)[number]

/** The outcome that a problem is counted as. The other codes of the catalogue never end a create. */
export const outcomeOfProblem: Partial<Record<ProblemCode, CreateOutcome>> = {
  'invalid-request': 'invalid',
  'invalid-idempotency-key': 'invalid',
  'body-too-large': 'invalid',
  'unsupported-media-type': 'invalid',
  'idempotency-key-reused': 'invalid',
  'partner-rejected': 'rejected',
  'partner-misconfigured': 'misconfigured',
  'partner-unavailable': 'not_sent',
  'ledger-unavailable': 'not_sent',
  overloaded: 'overloaded',
  internal: 'unknown',
}

/** The results of an Idempotency-Key. */
const keyResults = ['new', 'joined', 'replayed', 'in_progress', 'reused'] as const
export type KeyResult = (typeof keyResults)[number]

/** In seconds, for requests and for calls to FreedomPay. Alerts need the bucket 10. The last bucket is above the default deadline, so that a create that ends just after the deadline is not in +Inf. */
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 30]

export interface BuildInfo {
  readonly version: string
  readonly commit: string
}

type HttpLabels = LabelValues<'method' | 'route' | 'status_code'>

export interface Metrics extends AuthMetrics, PartnerMetrics, LedgerMetrics {
  readonly registry: Registry
  readonly observeHttpRequest: (labels: HttpLabels, seconds: number) => void
  readonly countCreate: (outcome: CreateOutcome) => void
  readonly countKey: (result: KeyResult) => void
}

/** `readStats` is called once for each scrape. */
export function createMetrics(buildInfo: BuildInfo, readStats: () => Promise<LedgerStats>): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  // promtool refuses these gauges: their names end like a counter's. The same numbers are there by type.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`)

  const httpDuration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its answer, by the pattern of the route',
    labelNames: ['method', 'route', 'status_code'],
    buckets: durationBuckets,
    registers,
  })

  const creates = new Counter({
    name: 'clients_create_total',
    help: 'Creates, by the outcome in the answer to the caller',
    labelNames: ['outcome'],
    registers,
  })
  for (const outcome of createOutcomes) creates.inc({ outcome }, 0)

  const keys = new Counter({
    name: 'idempotency_total',
    help: 'Creates with an Idempotency-Key, by the result of the key',
    labelNames: ['result'],
    registers,
  })
  for (const result of keyResults) keys.inc({ result }, 0)

  new Gauge({
    name: 'build_info',
    help: 'Version and commit of this process; always 1',
    labelNames: ['version', 'commit'],
    registers,
  }).set({ ...buildInfo }, 1)

  return {
    registry,
    ...createAuthMetrics(registry),
    ...createPartnerMetrics(registry, durationBuckets),
    ...createLedgerMetrics(registry, readStats),
    observeHttpRequest: (labels, seconds) => httpDuration.observe(labels, seconds),
    countCreate: (outcome) => creates.inc({ outcome }),
    countKey: (result) => keys.inc({ result }),
  }
}
