/**
 * One process of the service, without its sockets: the real code from `createClient` down to undici's Dispatcher. This is the
 * only file that knows how the parts are put together.
 */

import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import type { Dispatcher } from 'undici'
import type { CreateCommand } from '../../src/clients/create/create-command.ts'
import type { Preference } from '../../src/clients/create/prefer-header.ts'
import type { CoreObserver, CoreSettings } from '../../src/core.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { Sign, SignatureHeaders } from '../../src/partner/signature.ts'
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
  readonly wait: Preference['wait']
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

type Ids = Pick<CreateCommand, 'requestId' | 'keyId' | 'fingerprints'>

const origin = 'https://partner.example'
const credentials = { authId: '123456', secretKey: 'a secret of the simulation, known to nobody else' }
const log = pino({ level: 'silent' })
const observer: CoreObserver = {
  partner: { started() {}, ended() {} },
  reconciler: { foundOut() {}, corrected() {} },
  countRetry() {},
  countUnknownDuplicate() {},
  setCircuitState() {},
}

/** To be called after time has become virtual, as the sources may hold on to what they import. */
export async function loadCore(): Promise<Core> {
  const { startCore } = await import('../../src/core.ts')
  const { createFingerprint, toKeyId, toRequestId } = await import('../../src/clients/create/idempotency-key.ts')
  const { createTurnstile } = await import('../../src/large-bodies/event-loop-slices.ts')
  const { openMemoryLedger } = await import('../../src/ledger/memory.ts')
  const { createSigner } = await import('../../src/partner/signature.ts')
  const fingerprint = createFingerprint('a ledger key of the simulation, thirty-two bytes')

  const signers = {
    jws: quicken(createSigner('jws', () => credentials)),
    sign: quicken(createSigner('sign', () => credentials)),
  }
  const knownIds = new Map<string, Ids>()

  function toIds(caller: string, key: string, phone: string): Ids {
    const intent = `${caller}\n${key}\n${phone}`
    const known = knownIds.get(intent)
    if (known !== undefined) return known
    const print = fingerprint({ phone })
    const ids = { requestId: toRequestId(caller, key, print), keyId: toKeyId(caller, key), fingerprints: [print] }
    return keep(knownIds, intent, ids)
  }

  function toCommand({ caller, key, phone: digits, wait }: Request, arrivedAt: number): CreateCommand {
    const phone = `+${digits}`
    const ids =
      key === undefined ? { requestId: randomUUID(), keyId: undefined, fingerprints: [] } : toIds(caller, key, phone)
    return { caller, body: { phone }, arrivedAt, wait, log, ...ids }
  }

  function buildReplica({ dispatcher, ledger, settings }: ReplicaParts): Replica {
    const { createClient, readRequest, bulkhead, stop } = startCore({
      settings: toCoreSettings(settings),
      ledger,
      dispatcher,
      origin,
      sign: signers[settings.scheme],
      turn: createTurnstile(),
      log,
      observer,
    })
    return {
      async post(request) {
        const command = toCommand(request, performance.now())
        return createClient(command).then(
          ({ representation, idempotencyStatus }) => ({
            says: representation.status,
            requestId: representation.requestId,
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
        await stop()
      },
    }
  }

  return { buildReplica, openLedger: ({ retentionMs }) => openMemoryLedger({ retentionMs }) }
}

/** Most requests of all worlds are alike, and to hash each of them anew would take a seventh of the time. */
const mostKept = 10_000

function keep<T>(known: Map<string, T>, key: string, value: T): T {
  if (known.size >= mostKept) known.clear()
  known.set(key, value)
  return value
}

/** The same bytes have the same signature; only the id of a call is new each time. */
function quicken(sign: Sign): Sign {
  /** By path, then by body. */
  const known = new Map<string, Map<string, SignatureHeaders>>()

  function signQuickly(path: string, body: Buffer): SignatureHeaders {
    const ofPath = known.get(path) ?? keep(known, path, new Map<string, SignatureHeaders>())
    const text = body.toString('latin1')
    const headers = ofPath.get(text)
    if (headers === undefined) return { ...keep(ofPath, text, sign(path, body)) }
    return 'request-id' in headers ? { ...headers, 'request-id': randomUUID() } : { ...headers }
  }

  const { inTurns, reload, reloadAfterRefusal } = sign
  return Object.assign(signQuickly, { inTurns, reload, reloadAfterRefusal })
}

function toCoreSettings(settings: Settings): CoreSettings {
  return {
    productId: 1000,
    branchId: undefined,
    codes: { duplicate: new Set(['1002']), notFound: new Set(['1006']) },
    requestDeadlineMs: settings.deadlineMs,
    createWaitMs: settings.waitMs,
    partnerTimeoutMs: settings.timeoutMs,
    partnerSettleMs: settings.settleMs,
    partnerAbsentMs: settings.absentMs,
    partnerDoubtMs: settings.doubtMs,
    mayResend: settings.resends,
    partnerMaxInFlight: settings.places,
    partnerMaxWaiting: settings.waiting,
    reconcilerConcurrency: settings.concurrency,
  }
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
