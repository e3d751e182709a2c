/**
 * From a request to its outcome: send, then ask. A create is sent again only if FreedomPay provably did not take the request,
 * or does not know the request after the settling time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallContext, CardApi } from '../../partner/card-api.ts'
import type { EncodedRequest } from '../../partner/encode.ts'
import type { Outcome } from '../../partner/outcome.ts'
import { isRepeatable, pauseBeforeRetry } from '../../partner/retry.ts'
import {
  askOnce,
  type Finding,
  type Knowledge,
  knowNothing,
  type Polled,
  type PollLimits,
  pollStatus,
} from './poll-status.ts'

export interface DeliverySettings {
  /** How long "no such request" must stand before the same request may be sent again. */
  readonly settleMs: number
  readonly absentMs: number
  readonly doubtMs: number
  /** False: a create that may have reached FreedomPay is not sent again. */
  readonly mayResend: boolean
}

export interface DeliveryParts {
  readonly cardApi: CardApi
  readonly settings: DeliverySettings
  readonly countRetry: (reason: string) => void
}

export interface DeliveryContext extends CallContext {
  /** The end of the caller's wait while FreedomPay says `process`, on the clock of `performance.now()`. */
  readonly waitUntil: number
  /** Whether a send under an earlier claim may have reached FreedomPay. */
  readonly mayHaveArrived: boolean
  /** FreedomPay has acknowledged the create, so the request only waits from now on. False: too many requests wait already. */
  readonly startWaiting: PollLimits['startWaiting']
  /** Renews the claim before the request is sent again. False: another request holds the claim. */
  readonly renew: (mayHaveArrived: boolean) => Promise<boolean>
}

/** An outcome that proves: this send did not reach FreedomPay, or FreedomPay refused to take the request. */
export type NotTaken = Extract<Outcome, { kind: 'not-sent' | 'not-admitted' | 'misconfigured' | 'throttled' }>

export type Delivered =
  /** isDuplicate: FreedomPay had the request before this send, and the row has no record of the earlier send. */
  (Finding & { isDuplicate?: true }) | { status: 'not-taken'; outcome: NotTaken; isDuplicate?: never }

export interface Delivery {
  /** Sends a create, then asks until the outcome is final or the deadline has passed. */
  send(request: EncodedRequest, context: DeliveryContext): Promise<Delivered>
  /**
   * Asks about a create of an earlier claim. Sends the create if FreedomPay does not know the request and a resend is allowed.
   */
  pursue(
    encode: () => EncodedRequest,
    requestId: string,
    known: Knowledge,
    context: DeliveryContext,
  ): Promise<Delivered>
}

/** A send may not use all of the time left: a question about the outcome must still fit in. */
const shareOfASend = 2 / 3

export function buildDelivery({ cardApi, settings, countRetry }: DeliveryParts): Delivery {
  function poll(
    requestId: string,
    start: Knowledge,
    context: DeliveryContext,
    settleMs: number | undefined,
  ): Promise<Polled> {
    const { waitUntil, deadlineAt, startWaiting } = context
    const limits: PollLimits = {
      until: (known) => (known === 'processing' ? Math.min(waitUntil, deadlineAt) : deadlineAt),
      settleMs,
      startWaiting,
    }
    return pollStatus(cardApi, requestId, start, limits, settings, context)
  }

  /** Asks for the outcome of a request that is not sent again. */
  async function ask(requestId: string, start: Knowledge, context: DeliveryContext): Promise<Finding> {
    // The cast is safe: without `settleMs` a poll never ends as absent.
    return (await poll(requestId, start, context, undefined)) as Finding
  }

  /** An earlier send may still arrive, so the answer to a resend cannot prove that FreedomPay took no request. */
  async function send(request: EncodedRequest, context: DeliveryContext, isResend: boolean): Promise<Delivered> {
    const { requestId } = request
    const outcome = await sendUntilTaken(request, context)
    const start = knowNothing(performance.now())
    switch (outcome.kind) {
      case 'rejected':
        return await doubtRefusal(requestId, outcome, start, context, isResend)
      case 'created':
      case 'processing':
        return await ask(requestId, { ...start, known: outcome.kind, isAcknowledged: true }, context)
      case 'duplicate': {
        const found = await ask(requestId, { ...start, isAcknowledged: true }, context)
        // A first send was refused as a duplicate: the row has no record of the earlier send, or took that send for lost.
        return isResend ? found : { ...found, isDuplicate: true }
      }
      case 'not-sent':
      case 'not-admitted':
      case 'misconfigured':
      case 'throttled':
        return isResend ? await ask(requestId, start, context) : { status: 'not-taken', outcome }
      case 'no-such-request':
      case 'unknown':
        return isResend ? await ask(requestId, start, context) : await pursue(() => request, requestId, start, context)
      default:
        outcome satisfies never
        return { status: 'undecided', knowledge: start }
    }
  }

  /** Asks. If FreedomPay still does not know the request after the settling time, the request is sent once more. */
  async function pursue(
    encode: () => EncodedRequest,
    requestId: string,
    start: Knowledge,
    context: DeliveryContext,
  ): Promise<Delivered> {
    const found = await poll(requestId, start, context, settings.mayResend ? settings.settleMs : undefined)
    if (found.status !== 'absent') return found
    if (!(await context.renew(true))) return { status: 'undecided', knowledge: start }
    countRetry('no_such_request')
    return await send(encode(), { ...context, mayHaveArrived: true }, true)
  }

  /** FreedomPay may reject a repeated request_id with an undocumented code. Then an earlier attempt has reached FreedomPay. */
  async function doubtRefusal(
    requestId: string,
    { partner }: Extract<Outcome, { kind: 'rejected' }>,
    start: Knowledge,
    context: DeliveryContext,
    isResend: boolean,
  ): Promise<Delivered> {
    const { outcome, knowledge, conclusion } = await askOnce(cardApi, requestId, start, settings, context)
    const isKnown = conclusion?.status === 'created' || knowledge.known !== 'unknown'
    if (isKnown) {
      const found = conclusion?.status === 'created' ? conclusion : await ask(requestId, knowledge, context)
      return isResend ? found : { ...found, isDuplicate: true }
    }
    // An error that may concern the question itself confirms a rejection only if the error has the same code.
    const isConfirmed =
      outcome.kind === 'no-such-request' ||
      (outcome.kind === 'rejected' &&
        (!outcome.mayConcernQuestion || (!context.mayHaveArrived && outcome.partner.code === partner.code)))
    if (context.mayHaveArrived && !isConfirmed) return { status: 'undecided', knowledge }
    // A rejection that no answer confirms is inferred: the reconciler asks again.
    return { status: 'rejected', partner, isInferred: !isConfirmed }
  }

  function sendOnce(request: EncodedRequest, context: DeliveryContext): Promise<Outcome> {
    const now = performance.now()
    return cardApi.addClient(request, { ...context, deadlineAt: now + (context.deadlineAt - now) * shareOfASend })
  }

  /** Repeats the send while FreedomPay provably did not take the request, time is left and the claim is still ours. */
  async function sendUntilTaken(request: EncodedRequest, context: DeliveryContext): Promise<Outcome> {
    let outcome = await sendOnce(request, context)
    for (let tries = 1; isRepeatable(outcome); tries++) {
      const pauseMs = pauseBeforeRetry(outcome, tries)
      if (pauseMs === undefined || performance.now() + pauseMs >= context.deadlineAt) return outcome
      await sleep(pauseMs)
      if (!(await context.renew(false))) return outcome
      countRetry('result' in outcome && outcome.kind === 'not-sent' ? outcome.result : outcome.kind)
      outcome = await sendOnce(request, context)
    }
    return outcome
  }

  return { send: (request, context) => send(request, context, false), pursue }
}
