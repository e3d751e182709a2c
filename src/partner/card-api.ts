/** FreedomPay's Card API: serialise once, sign those bytes, send them, judge the answer. Retries are the caller's task. */
import type { Dispatcher } from 'undici'
import { largeBodyBytes, type Turn } from '../large-bodies/event-loop-slices.ts'
import { type Drifts, failureMessage } from './drifts.ts'
import { type EncodedRequest, encodeStatusRequest } from './encode.ts'
import { type Exchange, exchange } from './exchange.ts'
import { classify, type Outcome, type PartnerCodes, type Result } from './outcome.ts'
import { type Operation, paths } from './schema.ts'
import type { Sign } from './signature.ts'

export interface CardApiParts {
  readonly dispatcher: Dispatcher
  readonly origin: string
  readonly sign: Sign
  /** Where large bodies wait between slices of work. */
  readonly turn: Turn
  readonly codes: PartnerCodes
  /** The longest one call may take, from start to last byte. */
  readonly timeoutMs: number
  readonly observer: PartnerObserver
  /** Undefined: there are no traces. */
  readonly startTrace?: StartCallTrace | undefined
}

/** Where the calls are counted. */
export interface PartnerObserver {
  started(operation: Operation): void
  ended(operation: Operation, result: Result, seconds: number): void
}

/** One call as a part of its request's trace. */
export interface CallTrace {
  /** To be sent along. */
  readonly headers: Readonly<Record<string, string>>
  end(outcome: Outcome): void
}
export type StartCallTrace = (operation: Operation) => CallTrace

export interface CallContext {
  /** When the call must be over, on the clock of `performance.now()`. */
  readonly deadlineAt: number
  /** Its lines already carry the `requestId`. */
  readonly log: { warn(fields: Record<string, unknown>, message: string): void }
  /** Where the drift of a whole create adds up, to be told at its end; without it each answer that drifts is told by itself. */
  readonly drifts?: Drifts
}

export interface CardApi {
  /** POST /v5/card-api/client/add */
  addClient(request: EncodedRequest, context: CallContext): Promise<Outcome>
  /** POST /v5/card-api/request/status: asks for the outcome of an earlier call. */
  requestStatus(requestId: string, context: CallContext): Promise<Outcome>
}

const tooLate: Exchange = {
  kind: 'failed',
  sent: false,
  reason: 'timeout',
  cause: new Error('the deadline was over before anything was sent'),
  isOurDoing: true,
}

export function createCardApi(parts: CardApiParts): CardApi {
  const { dispatcher, origin, sign, turn, codes, timeoutMs, observer, startTrace } = parts

  async function call(operation: Operation, body: Buffer, context: CallContext): Promise<Outcome> {
    const path = paths[operation]
    const startedAt = performance.now()
    observer.started(operation)
    const trace = startTrace?.(operation)
    const headers = body.length < largeBodyBytes ? sign(path, body) : await sign.inTurns(path, body, turn)
    headers['content-type'] = 'application/json'
    headers.accept = 'application/json'
    if (trace !== undefined) Object.assign(headers, trace.headers)
    const leftMs = context.deadlineAt - performance.now()
    const isCutShort = leftMs < timeoutMs
    const limitMs = isCutShort ? leftMs : timeoutMs
    // A process that stood still may get here after the deadline, and must not send any more.
    const ended =
      leftMs > 0 ? await exchange(dispatcher, { origin, path, headers, body, timeoutMs: limitMs, isCutShort }) : tooLate
    const outcome = classify(operation, ended, codes)
    if (outcome.kind === 'misconfigured') sign.reloadAfterRefusal()
    // Of a create that has drifted already, this is one more answer that is of no use.
    const { drifts } = context
    const isRepeated = outcome.result === 'drift' && drifts !== undefined && (drifts.isTold || drifts.count > 0)
    observer.ended(operation, isRepeated ? 'bad_body' : outcome.result, (performance.now() - startedAt) / 1000)
    trace?.end(outcome)
    tellFailure(operation, outcome, context)
    return outcome
  }

  return {
    addClient: ({ body }, context) => call('add', body, context),
    requestStatus: (requestId, context) => call('status', encodeStatusRequest(requestId), context),
  }
}

function tellFailure(operation: Operation, outcome: Outcome, { log, drifts }: CallContext): void {
  const { result, kind } = outcome
  if (result === 'ok' || result === 'rejected' || kind === 'no-such-request') return
  const fields = {
    operation,
    result,
    ...('statusCode' in outcome ? { partnerStatusCode: outcome.statusCode } : {}),
    ...('drift' in outcome ? { drift: outcome.drift } : {}),
    ...('cause' in outcome ? { err: outcome.cause } : {}),
  }
  if (result !== 'drift' || drifts === undefined) {
    log.warn(fields, failureMessage)
  } else {
    drifts.first ??= fields
    drifts.count += 1
  }
}
