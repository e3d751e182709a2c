/** Every metric of the service, on a registry of its own. No label ever holds a value of a caller's. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { isFinal, type LedgerStats, type State, states } from '../ledger/ledger.ts'
import { type LedgerOperation, type LedgerResult, ledgerOperations, ledgerResults } from '../ledger/observe.ts'
import type { ReconcilerObserver } from '../ledger/reconciler.ts'
import type { PartnerObserver } from '../partner/card-api.ts'
import { results } from '../partner/outcome.ts'
import { type CircuitStateName, circuitStates } from '../partner/resilience.ts'
import { type Operation, paths } from '../partner/schema.ts'
import type { ProblemCode } from '../problems/catalogue.ts'
import { type AuthMetrics, createAuthMetrics } from './auth-metrics.ts'
import { createBatchedCounter, createBatchedHistogram, type Observe } from './batched-metrics.ts'

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

/** Which outcome a problem is counted as; the catalogue's other codes never end a create. */
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

/** What an Idempotency-Key led to. */
const keyResults = ['new', 'joined', 'replayed', 'in_progress', 'reused'] as const
export type KeyResult = (typeof keyResults)[number]

/** From a local call to beyond the default deadline, so that a create that ends just after its deadline is not in +Inf. */
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 30]

/** From a map in memory to a ledger that is given up. */
const ledgerBuckets = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

export interface BuildInfo {
  readonly version: string
  readonly commit: string
}

export interface Metrics extends AuthMetrics {
  readonly registry: Registry
  /** In seconds. */
  readonly observeHttpRequest: Observe<'method' | 'route' | 'status_code'>
  readonly countCreate: (outcome: CreateOutcome) => void
  readonly partnerRetries: Counter<'reason'>
  readonly countKey: (result: KeyResult) => void
  readonly setCircuitState: (state: CircuitStateName) => void
  readonly partnerObserver: PartnerObserver
  readonly reconcilerObserver: ReconcilerObserver
  readonly unknownDuplicates: Counter
  /** In seconds. */
  readonly observeLedgerRequest: (operation: LedgerOperation, result: LedgerResult, seconds: number) => void
}

/** `readStats` is asked once at every scrape. */
export function createMetrics(buildInfo: BuildInfo, readStats: () => Promise<LedgerStats>): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  // Gauges with the name of a counter, which promtool refuses; what they add up is there by type.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`)

  const { observe: observeHttpRequest } = createBatchedHistogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its answer, by route pattern',
    labelNames: ['method', 'route', 'status_code'],
    buckets: durationBuckets,
    registers,
  })

  const countCreate = createBatchedCounter(
    { name: 'clients_create_total', help: 'Creates by what the caller was told', registers },
    'outcome',
    createOutcomes,
  )

  const { histogram: partnerRequestDuration, observe: observePartnerCall } = createBatchedHistogram({
    name: 'partner_request_duration_seconds',
    help: 'Time of one call to FreedomPay, from start to last byte, by what came of it',
    labelNames: ['operation', 'result'],
    buckets: durationBuckets,
    registers,
  })
  /** Made once: labels that wait for their batch would otherwise be objects that outlive their create. */
  const labelsOf = toRecord(Object.keys(paths) as Operation[], (operation) =>
    toRecord(results, (result) => ({ operation, result })),
  )
  for (const ofOperation of Object.values(labelsOf)) {
    for (const labels of Object.values(ofOperation)) partnerRequestDuration.zero(labels)
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
    help: 'Creates sent again, by why that was safe',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of ['dns', 'refused', 'tls', 'timeout', 'throttled', 'misconfigured', 'no_such_request']) {
    partnerRetries.inc({ reason }, 0)
  }

  const countKey = createBatchedCounter(
    { name: 'idempotency_total', help: 'Creates with an Idempotency-Key, by what the key led to', registers },
    'result',
    keyResults,
  )

  const partnerCircuitState = new Gauge({
    name: 'partner_circuit_state',
    help: 'Whether creates are let through to FreedomPay: 1 for the state that holds, 0 for the others',
    labelNames: ['state'],
    registers,
  })
  const setCircuitState = (current: CircuitStateName) => {
    for (const state of circuitStates) partnerCircuitState.set({ state }, state === current ? 1 : 0)
  }
  setCircuitState('closed')

  registerLedgerGauges(registry, readStats)

  const unknownDuplicates = new Counter({
    name: 'partner_unknown_duplicates_total',
    help: 'Creates that FreedomPay already knew and the ledger did not: the ledger has lost a row',
    registers,
  })

  const { histogram: ledgerDuration, observe: observeLedger } = createBatchedHistogram({
    name: 'ledger_request_duration_seconds',
    help: 'Time of one operation of the ledger, by whether it was answered',
    labelNames: ['operation', 'result'],
    buckets: ledgerBuckets,
    registers,
  })
  for (const operation of ledgerOperations) {
    for (const result of ledgerResults) ledgerDuration.zero({ operation, result })
  }

  new Gauge({
    name: 'build_info',
    help: 'What is running; always 1',
    labelNames: ['version', 'commit'],
    registers,
  }).set({ ...buildInfo }, 1)

  return {
    registry,
    ...createAuthMetrics(registry),
    observeHttpRequest,
    countCreate,
    partnerRetries,
    countKey,
    setCircuitState,
    partnerObserver: {
      started() {
        inFlight++
      },
      ended(operation: Operation, result, seconds) {
        inFlight--
        observePartnerCall(labelsOf[operation][result], seconds)
      },
    },
    reconcilerObserver: createReconcilerObserver(registry),
    unknownDuplicates,
    observeLedgerRequest: (operation, result, seconds) => observeLedger({ operation, result }, seconds),
  }
}

function toRecord<Key extends string, Value>(keys: readonly Key[], toValue: (key: Key) => Value): Record<Key, Value> {
  return Object.fromEntries(keys.map((key) => [key, toValue(key)])) as Record<Key, Value>
}

/** Which state a row that was concluded from silence or doubt can be corrected to. */
const corrections = [
  ['not-created', 'created'],
  ['not-created', 'processing'],
  ['not-created', 'rejected'],
  ['rejected', 'created'],
  ['rejected', 'processing'],
] as const

function createReconcilerObserver(registry: Registry): ReconcilerObserver {
  const registers = [registry]
  const foundOut = new Counter({
    name: 'clients_found_out_total',
    help: 'Final outcomes that the reconciler learnt, corrected ones included',
    labelNames: ['outcome'],
    registers,
  })
  for (const outcome of states.filter(isFinal)) foundOut.inc({ outcome }, 0)
  const corrected = new Counter({
    name: 'clients_corrected_total',
    help: 'Outcomes concluded from silence or a doubtful error that FreedomPay later contradicted',
    labelNames: ['from', 'to'],
    registers,
  })
  for (const [from, to] of corrections) corrected.inc({ from, to }, 0)
  return {
    foundOut: (outcome: State) => foundOut.inc({ outcome }),
    corrected(from, to) {
      corrected.inc({ from, to })
      if (isFinal(to)) foundOut.inc({ outcome: to })
    },
  }
}

/** While the ledger cannot be reached the last known numbers stand, and readiness tells why. Every replica reports the same: use max. */
function registerLedgerGauges(registry: Registry, readStats: () => Promise<LedgerStats>): void {
  /** The gauges of one scrape are collected together, so they share one question. */
  let asked: Promise<LedgerStats | undefined> | undefined
  function readOnce(): Promise<LedgerStats | undefined> {
    asked ??= readStats()
      .catch(() => undefined)
      .finally(() => {
        asked = undefined
      })
    return asked
  }
  const register = (name: string, help: string, pick: (stats: LedgerStats) => number) =>
    new Gauge({
      name,
      help: `${help}. Every replica reports it: use max`,
      registers: [registry],
      async collect() {
        const stats = await readOnce()
        if (stats !== undefined) this.set(pick(stats))
      },
    })
  register(
    'ledger_unresolved',
    'Creates that no request works on any more and whose outcome is not final',
    ({ unresolved }) => unresolved,
  )
  register(
    'ledger_oldest_unresolved_seconds',
    'Since the oldest unresolved create was last worked on',
    ({ oldestUnresolvedSeconds }) => oldestUnresolvedSeconds,
  )
  register(
    'ledger_needs_attention',
    'Creates that have been asked about for 24 h without a final answer',
    ({ needsAttention }) => needsAttention,
  )
  register(
    'reconciler_oldest_due_seconds',
    'How late the reconciler is with the row that is due longest',
    ({ oldestDueSeconds }) => oldestDueSeconds,
  )
}
