/** FreedomPay's Card API: serialise once, sign those bytes, send them, judge the answer. It knows no retries and no story. */
import type { Dispatcher } from 'undici'
import { type Exchange, exchange } from './exchange.ts'
import { classify, type Outcome, type PartnerCodes, type Result } from './outcome.ts'
import { type AddClientRequest, type Operation, paths, type StatusRequest } from './schema.ts'
import type { Sign } from './signature.ts'

export interface CardApiParts {
  readonly dispatcher: Dispatcher
  readonly origin: string
  readonly sign: Sign
  readonly codes: PartnerCodes
  /** The longest one call may take, from start to last byte. */
  readonly timeoutMs: number
  readonly observer: PartnerObserver
}

/** Where the calls are counted. */
export interface PartnerObserver {
  started(operation: Operation): void
  ended(operation: Operation, result: Result, seconds: number): void
}

export interface CallContext {
  /** When the call must be over, on the clock of `performance.now()`. */
  readonly deadlineAt: number
  readonly log: { warn(fields: Record<string, unknown>, message: string): void }
}

export interface CardApi {
  /** POST /v5/card-api/client/add */
  addClient(request: AddClientRequest, context: CallContext): Promise<Outcome>
  /** POST /v5/card-api/request/status: what became of an earlier call. */
  requestStatus(requestId: string, context: CallContext): Promise<Outcome>
}

const tooLate: Exchange = {
  kind: 'failed',
  sent: false,
  reason: 'timeout',
  cause: new Error('the deadline was over before anything was sent'),
}

export function createCardApi({ dispatcher, origin, sign, codes, timeoutMs, observer }: CardApiParts): CardApi {
  async function call(
    operation: Operation,
    request: AddClientRequest | StatusRequest,
    context: CallContext,
  ): Promise<Outcome> {
    const path = paths[operation]
    const startedAt = performance.now()
    observer.started(operation)
    const body = Buffer.from(JSON.stringify(request))
    const headers = { 'content-type': 'application/json', accept: 'application/json', ...sign(path, body) }
    const leftMs = Math.min(timeoutMs, context.deadlineAt - performance.now())
    // Whoever comes late, because the process stood still for a while, must not send any more.
    const ended = leftMs > 0 ? await exchange(dispatcher, { origin, path, headers, body, timeoutMs: leftMs }) : tooLate
    const outcome = classify(operation, ended, codes)
    observer.ended(operation, outcome.result, (performance.now() - startedAt) / 1000)
    logFailure(operation, request.request_id, outcome, context)
    return outcome
  }

  return {
    addClient: (request, context) => call('add', request, context),
    requestStatus: (requestId, context) => call('status', { request_id: requestId }, context),
  }
}

function logFailure(operation: Operation, requestId: string, outcome: Outcome, { log }: CallContext): void {
  const { result, kind } = outcome
  if (result === 'ok' || result === 'rejected' || kind === 'no-such-request') return
  log.warn(
    {
      operation,
      requestId,
      result,
      ...('statusCode' in outcome ? { partnerStatusCode: outcome.statusCode } : {}),
      ...('drift' in outcome ? { drift: outcome.drift } : {}),
      ...('cause' in outcome ? { err: outcome.cause } : {}),
    },
    'partner call failed',
  )
}
