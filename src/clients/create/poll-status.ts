/** Finding out what became of a request by asking for its status: there is no callback, so asking is the only way. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallContext, CardApi } from '../../partner/card-api.ts'
import type { PartnerReason } from '../../partner/outcome.ts'

/** What is known of a request that may have reached the partner. It only ever gets more certain, from left to right. */
export type Known = 'unknown' | 'processing' | 'created'

export type Found =
  | { status: 'created'; clientId: string | undefined }
  | { status: 'rejected'; partner: PartnerReason }
  | { status: 'processing' }
  /** isDuplicate: the partner said that it has had the request, so that "no such request" is not to be believed any more. */
  | { status: 'unknown'; isDuplicate?: boolean }
  /** The partner said "no such request", and still did after the settling pause. */
  | { status: 'never-arrived' }

export interface FollowUpSettings {
  /** How long "no such request" must stand before it is believed. */
  readonly settleMs: number
}

/** How long to go on asking, for each thing that may be known; on the clock of `performance.now()`. */
export type AskUntil = (known: Known) => number

const firstPauseMs = 100
const pauseGrowth = 1.5
const longestPauseMs = 2000
/** What must be left for one more question to be worth asking. */
const shortestAskMs = 50

/**
 * Asks with growing pauses until the outcome is final or the time is up. What is known starts as `known`; "no such request"
 * is believed only while nothing else was ever said, because a partner that has said "process" cannot have lost it.
 */
export async function followUp(
  cardApi: CardApi,
  requestId: string,
  known: Known,
  askUntil: AskUntil,
  { settleMs }: FollowUpSettings,
  context: CallContext,
): Promise<Found> {
  /** What the partner said that is believed only if it still says so after the settling pause. */
  let doubtful: { word: string; since: number } | undefined
  const stands = (word: string) => {
    if (doubtful?.word !== word) doubtful = { word, since: performance.now() }
    return performance.now() - doubtful.since >= settleMs
  }
  let pauseMs = firstPauseMs
  // A partner that has just said "process" has nothing to add yet.
  let shouldPause = known === 'processing'

  for (;;) {
    const leftMs = askUntil(known) - performance.now() - shortestAskMs
    if (leftMs <= 0) return upTo(known)
    if (shouldPause) {
      // Just when the doubtful word has stood long enough; once that moment is over it says nothing about pauses any more.
      const settledInMs = doubtful === undefined ? Infinity : doubtful.since + settleMs - performance.now()
      await sleep(Math.min(pauseMs, leftMs, settledInMs > 0 ? settledInMs : Infinity))
      pauseMs = Math.min(pauseMs * pauseGrowth, longestPauseMs)
    }
    shouldPause = true

    const outcome = await cardApi.requestStatus(requestId, context)
    switch (outcome.kind) {
      case 'created':
        if (outcome.clientId !== undefined) return { status: 'created', clientId: outcome.clientId }
        known = 'created'
        break
      case 'processing':
        if (known === 'unknown') known = 'processing'
        break
      case 'rejected':
        // After "success" it contradicts itself; the client may well exist. Before "process" it may be about the question.
        if (known === 'created' || (known === 'unknown' && outcome.mayConcernQuestion && !stands(outcome.kind))) break
        return { status: 'rejected', partner: outcome.partner }
      case 'no-such-request':
        if (known === 'unknown' && stands(outcome.kind)) return { status: 'never-arrived' }
        break
      case 'duplicate':
      case 'not-sent':
      case 'not-admitted':
      case 'misconfigured':
      case 'throttled':
      case 'unknown':
        // All of these are about the question alone.
        break
      default:
        outcome satisfies never
    }
  }
}

function upTo(known: Known): Found {
  return known === 'created' ? { status: 'created', clientId: undefined } : { status: known }
}
