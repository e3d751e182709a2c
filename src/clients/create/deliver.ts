/** From a request to the partner to what came of it: send, find out, and send again only what provably never arrived. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallContext, CardApi } from '../../partner/card-api.ts'
import type { EncodedRequest } from '../../partner/encode.ts'
import type { Outcome } from '../../partner/outcome.ts'
import { isRepeatable, pauseBeforeRetry } from '../../partner/retry.ts'
import { type AskUntil, type Found, followUp, type Known } from './poll-status.ts'

export interface PursuitSettings {
  /** How long to wait for a final outcome while the partner says `process`. */
  readonly waitMs: number
  /** How long "no such request" must stand before it is believed. */
  readonly settleMs: number
}

export interface PursuitParts {
  readonly cardApi: CardApi
  readonly settings: PursuitSettings
  readonly countRetry: (reason: string) => void
}

export interface PursuitContext extends CallContext {
  /** On the clock of `performance.now()`. */
  readonly startedAt: number
  /** The caller's own wait for a final outcome, from `startedAt`. */
  readonly waitMs: number | undefined
  /** Whether the same request was claimed, and perhaps sent, before. */
  readonly isRepeated?: boolean
}

/** An outcome by which the partner certainly does not have the request. */
export type NotTaken = Extract<Outcome, { kind: 'not-sent' | 'not-admitted' | 'misconfigured' | 'throttled' }>

export type Ended = Found | { status: 'not-taken'; outcome: NotTaken }

export interface Pursuit {
  /** Sends a create and pursues it until its outcome is final or the time is up. */
  send(request: EncodedRequest, context: PursuitContext): Promise<Ended>
  /** Pursues a create that somebody else may have sent. Sends nothing. */
  find(requestId: string, known: Known, context: PursuitContext): Promise<Found>
}

function toRejected({ partner }: Extract<Outcome, { kind: 'rejected' }>): Ended {
  return { status: 'rejected', partner }
}

/** No send may take all that is left: there must be time to ask what became of it. */
const shareOfASend = 2 / 3

export function buildPursuit({ cardApi, settings, countRetry }: PursuitParts): Pursuit {
  function find(requestId: string, known: Known, context: PursuitContext): Promise<Found> {
    const { startedAt, waitMs, deadlineAt } = context
    const waitUntil = waitMs === undefined ? performance.now() + settings.waitMs : startedAt + waitMs
    const askUntil: AskUntil = (now) => (now === 'processing' ? Math.min(waitUntil, deadlineAt) : deadlineAt)
    return followUp(cardApi, requestId, known, askUntil, settings, context)
  }

  async function send(request: EncodedRequest, context: PursuitContext): Promise<Ended> {
    let isResend = false
    for (;;) {
      let outcome = await sendOnce(request, context)
      if (isRepeatable(outcome)) outcome = await repeatUntilTaken(outcome, request, context)
      switch (outcome.kind) {
        case 'rejected': {
          if (!isResend && !context.isRepeated) return toRejected(outcome)
          // It may refuse the repetition alone, in words that we do not know, of a request that arrived after all.
          const found = await find(request.requestId, 'unknown', context)
          return found.status === 'never-arrived' ? toRejected(outcome) : found
        }
        case 'created':
          return await find(request.requestId, 'created', context)
        case 'processing':
          return await find(request.requestId, 'processing', context)
        case 'not-sent':
        case 'not-admitted':
        case 'misconfigured':
        case 'throttled':
          // Certain of this send alone: an earlier one of the same request may still arrive.
          return isResend ? { status: 'unknown' } : { status: 'not-taken', outcome }
        case 'duplicate':
        case 'no-such-request':
        case 'unknown': {
          const found = await find(request.requestId, 'unknown', context)
          if (found.status !== 'unknown' && found.status !== 'never-arrived') return found
          // After a second try, or against the partner's word that it has had the request, its silence proves nothing.
          if (outcome.kind === 'duplicate') return { status: 'unknown', isDuplicate: true }
          if (isResend || found.status === 'unknown') return { status: 'unknown' }
          break
        }
        default:
          outcome satisfies never
          return { status: 'unknown' }
      }
      countRetry('no_such_request')
      isResend = true
    }
  }

  function sendOnce(request: EncodedRequest, { deadlineAt, log }: PursuitContext): Promise<Outcome> {
    const now = performance.now()
    return cardApi.addClient(request, { deadlineAt: now + (deadlineAt - now) * shareOfASend, log })
  }

  /** Sends again while the partner provably did not take it and the deadline allows. */
  async function repeatUntilTaken(first: Outcome, request: EncodedRequest, context: PursuitContext): Promise<Outcome> {
    let outcome = first
    let tries = 1
    for (;;) {
      const pauseMs = pauseBeforeRetry(outcome, tries)
      if (pauseMs === undefined || performance.now() + pauseMs >= context.deadlineAt) return outcome
      countRetry(outcome.kind === 'throttled' ? 'throttled' : outcome.result)
      await sleep(pauseMs)
      outcome = await sendOnce(request, context)
      tries += 1
    }
  }

  return { send, find }
}
