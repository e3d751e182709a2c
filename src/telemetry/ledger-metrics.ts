/** Metrics of the ledger and of the reconciler. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { LedgerStats } from '../ledger/ledger.ts'
import { type LedgerOperation, type LedgerResult, ledgerOperations, ledgerResults } from '../ledger/observe.ts'
import type { ReconcilerObserver } from '../ledger/reconciler.ts'
import { isFinal, type State, states } from '../ledger/states.ts'

/** In seconds: from the engine in memory to an operation that is given up. */
const ledgerBuckets = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

export interface LedgerMetrics {
  readonly reconcilerObserver: ReconcilerObserver
  readonly unknownDuplicates: Counter
  /** In seconds. */
  readonly observeLedgerRequest: (operation: LedgerOperation, result: LedgerResult, seconds: number) => void
}

/** `readStats` is called once for each scrape. */
export function createLedgerMetrics(registry: Registry, readStats: () => Promise<LedgerStats>): LedgerMetrics {
  const registers = [registry]
  registerLedgerGauges(registry, readStats)
  const unknownDuplicates = new Counter({
    name: 'partner_unknown_duplicates_total',
    help: 'Creates that FreedomPay knew and the ledger did not know: the ledger has lost a row',
    registers,
  })
  const duration = new Histogram({
    name: 'ledger_request_duration_seconds',
    help: 'Time of one operation of the ledger, by its result',
    labelNames: ['operation', 'result'],
    buckets: ledgerBuckets,
    registers,
  })
  for (const operation of ledgerOperations) {
    for (const result of ledgerResults) duration.zero({ operation, result })
  }
  return {
    reconcilerObserver: createReconcilerObserver(registry),
    unknownDuplicates,
    observeLedgerRequest: (operation, result, seconds) => duration.observe({ operation, result }, seconds),
  }
}

/** The possible corrections of a state that was concluded from silence or doubt. */
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
    help: 'Final outcomes that the reconciler found out, including corrected ones',
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

/** While the ledger cannot be reached, the gauges keep their last numbers; /readyz shows the fault. */
function registerLedgerGauges(registry: Registry, readStats: () => Promise<LedgerStats>): void {
  /** The gauges of one scrape are collected together, so they share one query. */
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
    'Creates without a final outcome that no request works on any more',
    ({ unresolved }) => unresolved,
  )
  register(
    'ledger_oldest_unresolved_seconds',
    'Seconds since a request last worked on the oldest unresolved create',
    ({ oldestUnresolvedSeconds }) => oldestUnresolvedSeconds,
  )
  register(
    'ledger_needs_attention',
    'Creates that FreedomPay has been asked about for 24 h without a final answer',
    ({ needsAttention }) => needsAttention,
  )
  register(
    'reconciler_oldest_due_seconds',
    'Delay of the reconciler at the row that has been due for the longest time',
    ({ oldestDueSeconds }) => oldestDueSeconds,
  )
}
