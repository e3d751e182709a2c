/** The core, put together: a create from a valid body to the caller's answer, and the reconciler. The core opens no socket. */
import type { Logger } from 'pino'
import type { Dispatcher } from 'undici'
import { createClaims } from './clients/create/claims.ts'
import { buildCreateClient, type CreateClientAtPartner } from './clients/create/create-client.ts'
import { buildDelivery } from './clients/create/deliver.ts'
import { buildFindOut } from './clients/create/find-out.ts'
import { buildReadRequest, type ReadRequest } from './clients/read-request.ts'
import type { Turn } from './large-bodies/event-loop-slices.ts'
import type { Ledger } from './ledger/ledger.ts'
import { type ReconcilerObserver, startReconciler } from './ledger/reconciler.ts'
import { type Bulkhead, createBulkhead } from './partner/bulkhead.ts'
import { createCardApi, type PartnerObserver, type StartCallTrace } from './partner/card-api.ts'
import { createDriftBook } from './partner/drifts.ts'
import type { PartnerCodes } from './partner/outcome.ts'
import { type CircuitStateName, withCircuitBreaker } from './partner/resilience.ts'
import type { Sign } from './partner/signature.ts'

/** Between the end of a question to FreedomPay and the moment when another replica may ask the same question. */
const leaseMarginMs = 5000

export interface CoreSettings {
  readonly productId: number
  readonly branchId: string | undefined
  readonly codes: PartnerCodes
  readonly requestDeadlineMs: number
  readonly createWaitMs: number
  readonly partnerTimeoutMs: number
  readonly partnerSettleMs: number
  readonly partnerAbsentMs: number
  readonly partnerDoubtMs: number
  readonly mayResend: boolean
  readonly partnerMaxInFlight: number
  readonly partnerMaxWaiting: number
  readonly reconcilerConcurrency: number
}

export interface CoreObserver {
  readonly partner: PartnerObserver
  readonly reconciler: ReconcilerObserver
  countRetry(reason: string): void
  /** FreedomPay knew a request that the ledger did not. */
  countUnknownDuplicate(): void
  setCircuitState(state: CircuitStateName): void
}

export interface CoreParts {
  readonly settings: CoreSettings
  readonly ledger: Ledger
  readonly dispatcher: Dispatcher
  readonly origin: string
  readonly sign: Sign
  readonly turn: Turn
  readonly log: Logger
  readonly observer: CoreObserver
  readonly startTrace?: StartCallTrace | undefined
}

export interface Core {
  readonly createClient: CreateClientAtPartner
  readonly readRequest: ReadRequest
  readonly bulkhead: Bulkhead
  /** Ends the work in the background, once no create is in flight. */
  stop(): Promise<void>
}

export function startCore({
  settings,
  ledger,
  dispatcher,
  origin,
  sign,
  turn,
  log,
  observer,
  startTrace,
}: CoreParts): Core {
  const { partnerTimeoutMs, partnerAbsentMs: absentMs, partnerDoubtMs: doubtMs, mayResend } = settings
  const cardApi = createCardApi({
    dispatcher,
    origin,
    sign,
    turn,
    codes: settings.codes,
    timeoutMs: partnerTimeoutMs,
    observer: observer.partner,
    startTrace,
  })
  const delivery = buildDelivery({
    cardApi: withCircuitBreaker(cardApi, observer.setCircuitState),
    settings: { settleMs: settings.partnerSettleMs, absentMs, doubtMs, mayResend },
    countRetry: observer.countRetry,
  })
  const driftBook = createDriftBook()
  const claims = createClaims(ledger, log)
  const bulkhead = createBulkhead({ places: settings.partnerMaxInFlight, waiting: settings.partnerMaxWaiting })
  const reconciler = startReconciler({
    ledger,
    // Without the circuit breaker: the answers to questions about old creates do not show whether a new create would arrive.
    findOut: buildFindOut(cardApi, { absentMs, doubtMs, askMs: partnerTimeoutMs }, driftBook),
    // The reconciler asks at most two questions under one lease.
    leaseMs: 2 * partnerTimeoutMs + leaseMarginMs,
    concurrency: settings.reconcilerConcurrency,
    log,
    observer: observer.reconciler,
  })
  return {
    createClient: buildCreateClient({
      ledger,
      claims,
      delivery,
      bulkhead,
      driftBook,
      countUnknownDuplicate: observer.countUnknownDuplicate,
      settings: {
        defaults: { productId: settings.productId, branchId: settings.branchId },
        deadlineMs: settings.requestDeadlineMs,
        waitMs: settings.createWaitMs,
        mayResend,
      },
    }),
    readRequest: buildReadRequest(ledger),
    bulkhead,
    async stop() {
      await Promise.all([reconciler.stop(), claims.stop()])
    },
  }
}
