/**
 * One process of the service, without its sockets: the real code from `createClient` down to undici's Dispatcher. This is the
 * only file that knows how the parts are put together.
 */
import type { Dispatcher } from 'undici'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { Problem } from '../../src/problems/problem.ts'
import type { Answer, Says } from './history.ts'
import type { Settings } from './plan.ts'

export interface ReplicaParts {
  readonly dispatcher: Dispatcher
  readonly ledger: Ledger
  readonly settings: Settings
}

export interface Request {
  readonly caller: string
  readonly key: string | undefined
  readonly phone: number
  readonly waitMs: number | undefined
}

export interface Replica {
  /** Never rejects: every end of a request is an answer. */
  post(request: Request): Promise<Answer>
  read(caller: string, requestId: string): Promise<Answer>
  stop(): Promise<void>
}

export interface Core {
  buildReplica(parts: ReplicaParts): Replica
  openLedger(settings: Settings): Ledger
}

const origin = 'https://partner.example'
const credentials = { authId: '123456', secretKey: 'a secret of the simulation, known to nobody else' }
const leaseMarginMs = 5000
const log = { info() {}, warn() {}, error() {} }

/** To be called after time has become virtual, as the sources may hold on to what they import. */
export async function loadCore(): Promise<Core> {
  const { buildCreateClient } = await import('../../src/clients/create/create-client.ts')
  const { buildPursuit } = await import('../../src/clients/create/deliver.ts')
  const { buildFindOut } = await import('../../src/clients/create/find-out.ts')
  const { createFingerprint, toRequestId } = await import('../../src/clients/create/idempotency-key.ts')
  const { buildReadRequest } = await import('../../src/clients/read-request.ts')
  const { createTurnstile } = await import('../../src/large-bodies/event-loop-slices.ts')
  const { openMemoryLedger } = await import('../../src/ledger/memory.ts')
  const { startReconciler } = await import('../../src/ledger/reconciler.ts')
  const { createCardApi } = await import('../../src/partner/card-api.ts')
  const { createBulkhead, withCircuitBreaker } = await import('../../src/partner/resilience.ts')
  const { createSigner } = await import('../../src/partner/signature.ts')
  const { randomUUID } = await import('node:crypto')
  const fingerprint = createFingerprint('a ledger key of the simulation, thirty-two bytes')
  const signers = { jws: createSigner('jws', credentials), sign: createSigner('sign', credentials) }

  function buildReplica({ dispatcher, ledger, settings }: ReplicaParts): Replica {
    const bulkhead = createBulkhead(settings.places)
    const cardApi = withCircuitBreaker(
      createCardApi({
        dispatcher,
        origin,
        sign: signers[settings.scheme],
        turn: createTurnstile(),
        codes: { duplicate: new Set(['1002']), notFound: new Set(['1006']) },
        timeoutMs: settings.timeoutMs,
        observer: { started() {}, ended() {} },
      }),
      () => undefined,
    )
    const pursuit = buildPursuit({ cardApi, settings, countRetry() {} })
    const createClient = buildCreateClient({
      ledger,
      pursuit,
      bulkhead,
      settings: { defaults: { productId: 1000, branchId: undefined }, deadlineMs: settings.deadlineMs },
    })
    const readRequest = buildReadRequest(ledger)
    const reconciler = startReconciler({
      ledger,
      findOut: buildFindOut(cardApi, { settleMs: settings.settleMs, askMs: settings.timeoutMs }),
      leaseMs: settings.settleMs + 2 * settings.timeoutMs + leaseMarginMs,
      log,
    })
    return {
      async post({ caller, key, phone, waitMs }) {
        const body = { phone: `+${phone}` }
        const requestId = key === undefined ? randomUUID() : toRequestId(caller, key)
        const command = { requestId, caller, fingerprint: key === undefined ? '' : fingerprint(body), body, waitMs, log }
        return createClient(command).then(
          ({ representation, idempotencyStatus }) => ({
            says: representation.status,
            requestId,
            clientId: representation.clientId,
            idempotencyStatus,
          }),
          toAnswer,
        )
      },
      read: (caller, requestId) =>
        readRequest({ caller, requestId }).then(({ status, ...rest }) => {
          const clientId = 'clientId' in rest ? rest.clientId : undefined
          return { says: status, requestId, clientId }
        }, toAnswer),
      async stop() {
        await bulkhead.idle()
        await reconciler.stop()
      },
    }
  }

  return { buildReplica, openLedger: ({ retentionMs }) => openMemoryLedger({ retentionMs }) }
}

const saysOf: Readonly<Record<string, Says>> = {
  'partner-rejected': 'rejected',
  'not-found': 'not-found',
  internal: 'fault',
}

function toAnswer(error: unknown): Answer {
  if (!(error instanceof Problem)) return { says: 'fault', error: String(error instanceof Error ? error.stack : error) }
  const { code, safeToRetry, requestId } = error.body
  const retryAfter = error.headers['retry-after']
  return {
    says: saysOf[code] ?? 'problem',
    code,
    safeToRetry,
    requestId,
    idempotencyStatus: error.headers['idempotency-status'],
    retryAfterMs: retryAfter === undefined ? undefined : Number(retryAfter) * 1000,
  }
}
