/**
 * From a request to its outcome: send, then ask. A create is sent again only if FreedomPay provably did not take the request,
 * or does not know the request after the settling time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallContext, CardApi } from '../../partner/card-api.ts'
import type { EncodedRequest } from '../../partner/encode.ts'
import type { Outcome } from '../../partner/outcome.ts'
import { isRepeatable, pauseBeforeRetry } from '../../partner/retry.ts'
import { type Knowledge, knowNothing } from './judge.ts'
import { askOnce, type Finding, type Polled, type PollLimits, pollStatus } from './poll-status.ts'

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

export function buildDelivery(parts: DeliveryParts): Delivery {
  return {
    send: (request, context) => send({ parts, requestId: request.requestId, context }, request, false),
    pursue: (encode, requestId, known, context) => pursue({ parts, requestId, context }, encode, known),
  }
}

/** One request on its way. */
interface Errand {
  readonly parts: DeliveryParts
  readonly requestId: string
  readonly context: DeliveryContext
}

function poll({ parts, requestId, context }: Errand, start: Knowledge, settleMs: number | undefined): Promise<Polled> {
  const { cardApi, settings } = parts
  const { waitUntil, deadlineAt, startWaiting } = context
  const limits: PollLimits = {
    until: (known) => (known === 'processing' ? Math.min(waitUntil, deadlineAt) : deadlineAt),
    settleMs,
    startWaiting,
  }
  return pollStatus(cardApi, requestId, start, limits, settings, context)
}

/** Asks for the outcome of a request that is not sent again. */
async function ask(errand: Errand, start: Knowledge): Promise<Finding> {
  // The cast is safe: without `settleMs` a poll never ends as absent.
  return (await poll(errand, start, undefined)) as Finding
}

/** An earlier send may still arrive, so the answer to a resend cannot prove that FreedomPay took no request. */
async function send(errand: Errand, request: EncodedRequest, isResend: boolean): Promise<Delivered> {
  const outcome = await sendUntilTaken(errand, request)
  const start = knowNothing(performance.now())
  switch (outcome.kind) {
    case 'rejected':
      return await doubtRefusal(errand, outcome, start, isResend)
    case 'created':
    case 'processing':
      return await ask(errand, { ...start, known: outcome.kind, isAcknowledged: true })
    case 'duplicate': {
      const found = await ask(errand, { ...start, isAcknowledged: true })
      // A first send was refused as a duplicate: the row has no record of the earlier send, or took that send for lost.
      return isResend ? found : { ...found, isDuplicate: true }
    }
    case 'not-sent':
    case 'not-admitted':
    case 'misconfigured':
    case 'throttled':
      return isResend ? await ask(errand, start) : { status: 'not-taken', outcome }
    case 'no-such-request':
    case 'unknown':
      return isResend ? await ask(errand, start) : await pursue(errand, () => request, start)
    default:
      outcome satisfies never
      return { status: 'undecided', knowledge: start }
  }
}

/** Asks. If FreedomPay still does not know the request after the settling time, the request is sent once more. */
async function pursue(errand: Errand, encode: () => EncodedRequest, start: Knowledge): Promise<Delivered> {
  const { parts, context } = errand
  const { settings, countRetry } = parts
  const found = await poll(errand, start, settings.mayResend ? settings.settleMs : undefined)
  if (found.status !== 'absent') return found
  if (!(await context.renew(true))) return { status: 'undecided', knowledge: start }
  countRetry('no_such_request')
  return await send({ ...errand, context: { ...context, mayHaveArrived: true } }, encode(), true)
}

/** FreedomPay may reject a repeated request_id with an undocumented code. Then an earlier attempt has reached FreedomPay. */
async function doubtRefusal(
  errand: Errand,
  { partner }: Extract<Outcome, { kind: 'rejected' }>,
  start: Knowledge,
  isResend: boolean,
): Promise<Delivered> {
  const { parts, requestId, context } = errand
  const { outcome, knowledge, conclusion } = await askOnce(parts.cardApi, requestId, start, parts.settings, context)
  const isKnown = conclusion?.status === 'created' || knowledge.known !== 'unknown'
  if (isKnown) {
    const found = conclusion?.status === 'created' ? conclusion : await ask(errand, knowledge)
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

function sendOnce({ parts, context }: Errand, request: EncodedRequest): Promise<Outcome> {
  const now = performance.now()
  return parts.cardApi.addClient(request, { ...context, deadlineAt: now + (context.deadlineAt - now) * shareOfASend })
}

/** Repeats the send while FreedomPay provably did not take the request, time is left and the claim is still ours. */
async function sendUntilTaken(errand: Errand, request: EncodedRequest): Promise<Outcome> {
  const { parts, context } = errand
  let outcome = await sendOnce(errand, request)
  let refusals = 0
  for (let all = 1; isRepeatable(outcome); all++) {
    if (outcome.kind === 'misconfigured') refusals++
    const pauseMs = pauseBeforeRetry(outcome, { all, refusals })
    if (pauseMs === undefined || performance.now() + pauseMs >= context.deadlineAt) return outcome
    await sleep(pauseMs)
    if (!(await context.renew(false))) return outcome
    parts.countRetry('result' in outcome && outcome.kind === 'not-sent' ? outcome.result : outcome.kind)
    outcome = await sendOnce(errand, request)
  }
  return outcome
}
