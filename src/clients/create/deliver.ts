/** From a request to what came of it: send, find out, and send again only what FreedomPay provably did not take, or does not know. */
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
  /** False: nothing is ever sent twice. */
  readonly mayResend: boolean
}

export interface DeliveryParts {
  readonly cardApi: CardApi
  readonly settings: DeliverySettings
  readonly countRetry: (reason: string) => void
}

export interface DeliveryContext extends CallContext {
  /** When a create that FreedomPay works on is answered, on the clock of `performance.now()`. */
  readonly waitUntil: number
  /** Whether a send under an earlier claim may have reached FreedomPay. */
  readonly mayHaveArrived: boolean
  /** FreedomPay has the create, which only waits from now on; false where too many wait already. */
  readonly startWaiting: PollLimits['startWaiting']
  /** Claims the row anew in the ledger, before the request is sent again; false where the claim is lost. */
  readonly renew: (mayHaveArrived: boolean) => Promise<boolean>
}

/** An outcome by which FreedomPay certainly does not have this request from this send. */
export type NotTaken = Extract<Outcome, { kind: 'not-sent' | 'not-admitted' | 'misconfigured' | 'throttled' }>

export type Delivered =
  /** isDuplicate: FreedomPay had the request before this send, from one that the row knows nothing of. */
  (Finding & { isDuplicate?: true }) | { status: 'not-taken'; outcome: NotTaken; isDuplicate?: never }

export interface Delivery {
  /** Sends a create and pursues it until its outcome is final or the time is over. */
  send(request: EncodedRequest, context: DeliveryContext): Promise<Delivered>
  /** Pursues a create that was claimed before; sends it where FreedomPay does not know it and a resend is allowed. */
  pursue(
    encode: () => EncodedRequest,
    requestId: string,
    known: Knowledge,
    context: DeliveryContext,
  ): Promise<Delivered>
}

/** No send may take all that is left: there must be time to ask what came of it. */
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

  /** Asks what came of a request that is not sent again. */
  async function ask(requestId: string, start: Knowledge, context: DeliveryContext): Promise<Finding> {
    // Only a poll that may be followed by a resend ends as absent.
    return (await poll(requestId, start, context, undefined)) as Finding
  }

  /** A resend follows a send that may still arrive, so no answer to it can say that nothing was taken. */
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
        // Otherwise an earlier send of the same request, which this row knows nothing of, or which seemed not to have arrived.
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

  /** Asks; where FreedomPay still does not know the request after the settling time, it is sent once more. */
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

  /** A refusal may be of a repetition alone, in words that we do not know, of a request that arrived earlier. */
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
    // An error that may be about the question says no more than none, unless it gives the same reason.
    const isConfirmed =
      outcome.kind === 'no-such-request' ||
      (outcome.kind === 'rejected' &&
        (!outcome.mayConcernQuestion || (!context.mayHaveArrived && outcome.partner.code === partner.code)))
    if (context.mayHaveArrived && !isConfirmed) return { status: 'undecided', knowledge }
    // A refusal that no answer confirms is asked about again.
    return { status: 'rejected', partner, isInferred: !isConfirmed }
  }

  function sendOnce(request: EncodedRequest, context: DeliveryContext): Promise<Outcome> {
    const now = performance.now()
    return cardApi.addClient(request, { ...context, deadlineAt: now + (context.deadlineAt - now) * shareOfASend })
  }

  /** Sends, and sends again while FreedomPay provably did not take it, the deadline allows and the claim still stands. */
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
