/** The whole story of one create, from a valid body to the truth about what came of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CallContext, CardApi } from '../partner/card-api.ts'
import type { Outcome } from '../partner/outcome.ts'
import { parseRetryAfter, pauseBeforeRetry } from '../partner/retry.ts'
import type { AddClientRequest } from '../partner/schema.ts'
import { Problem, retryAfter } from '../problems.ts'
import { type AskUntil, type FollowUpSettings, type Found, followUp, type Known } from './follow-up.ts'
import { type RequestDefaults, toAddClientRequest } from './mapping.ts'
import { withoutPersonalData } from './partner-reason.ts'
import type { CreateClient } from './schema.ts'

export interface CreateClientSettings extends FollowUpSettings {
  readonly defaults: RequestDefaults
  /** Everything one create may take. */
  readonly deadlineMs: number
  /** How long a create waits for a final outcome while the partner says `process`. */
  readonly waitMs: number
}

export interface CreateClientParts {
  readonly cardApi: CardApi
  readonly settings: CreateClientSettings
  readonly countRetry: (reason: string) => void
}

export interface CreateCommand {
  /** Identifies this intent, here and at the partner. */
  readonly requestId: string
  readonly body: CreateClient
  /** The caller's own wait for a final outcome, from the arrival of the request. */
  readonly waitMs: number | undefined
  readonly log: CallContext['log']
}

/** What a caller is told when nothing went wrong, or nothing that is known of. */
export interface CreateResult {
  readonly requestId: string
  readonly status: 'created' | 'processing' | 'unknown'
  readonly clientId?: string
  readonly updatedAt: string
}

/** How long until a caller should look again at a create that is not final, in seconds. */
export const lookAgainSeconds = 5
const unavailableSeconds = 5

/** No send may take all that is left: there must be time to ask what became of it. */
const shareOfASend = 2 / 3

/** @throws Problem partner-rejected, partner-misconfigured or partner-unavailable, and only where that is certain */
export type CreateClientAtPartner = (command: CreateCommand) => Promise<CreateResult>

export function buildCreateClient({ cardApi, settings, countRetry }: CreateClientParts): CreateClientAtPartner {
  return async ({ requestId, body, waitMs, log }) => {
    const startedAt = performance.now()
    const request = toAddClientRequest(body, requestId, settings.defaults)
    const context = { deadlineAt: startedAt + settings.deadlineMs, log }
    const ended = await pursue(request, context, startedAt, waitMs)
    return toResult(requestId, body, ended)
  }

  /** Sends, finds out, and sends the same request_id once more only where the partner provably never got it. */
  async function pursue(
    request: AddClientRequest,
    context: CallContext,
    startedAt: number,
    waitMs: number | undefined,
  ): Promise<Ended> {
    const find = (known: Known) => {
      const acceptedAt = performance.now()
      const waitUntil = waitMs === undefined ? acceptedAt + settings.waitMs : startedAt + waitMs
      const askUntil: AskUntil = (now) =>
        now === 'processing' ? Math.min(waitUntil, context.deadlineAt) : context.deadlineAt
      return followUp(cardApi, request.request_id, known, askUntil, settings, context)
    }

    let outcome = await send(request, context)
    for (let isResend = false; ; isResend = true) {
      switch (outcome.kind) {
        case 'rejected':
          return { status: 'rejected', partner: outcome.partner }
        case 'created':
          return find('created')
        case 'processing':
          return find('processing')
        case 'not-sent':
        case 'misconfigured':
        case 'throttled':
          // Certain of this send alone: an earlier one of the same request may still arrive.
          return isResend ? { status: 'unknown' } : { status: 'not-taken', outcome }
        case 'duplicate':
        case 'no-such-request':
        case 'unknown': {
          const found = await find('unknown')
          if (found.status !== 'never-arrived' || isResend || outcome.kind !== 'unknown') return found
          break
        }
        default:
          return outcome satisfies never
      }
      countRetry('no_such_request')
      outcome = await send(request, context)
    }
  }

  /** One send, repeated while the partner provably did not take it and the deadline allows. */
  async function send(request: AddClientRequest, context: CallContext): Promise<Outcome> {
    for (let tries = 1; ; tries++) {
      const now = performance.now()
      const deadlineAt = now + (context.deadlineAt - now) * shareOfASend
      const outcome = await cardApi.addClient(request, { ...context, deadlineAt })
      const pauseMs = pauseBeforeRetry(outcome, tries)
      if (pauseMs === undefined || performance.now() + pauseMs >= context.deadlineAt) return outcome
      countRetry(outcome.kind === 'throttled' ? 'throttled' : outcome.result)
      await sleep(pauseMs)
    }
  }
}

type NotTaken = Extract<Outcome, { kind: 'not-sent' | 'misconfigured' | 'throttled' }>
type Ended = Found | { status: 'not-taken'; outcome: NotTaken }

function toResult(requestId: string, body: CreateClient, ended: Ended): CreateResult {
  const updatedAt = new Date().toISOString()
  switch (ended.status) {
    case 'created':
      return { requestId, status: 'created', clientId: ended.clientId, updatedAt }
    case 'processing':
      return { requestId, status: 'processing', updatedAt }
    case 'unknown':
    case 'never-arrived':
      return { requestId, status: 'unknown', updatedAt }
    case 'rejected':
      throw new Problem('partner-rejected', { requestId, partner: withoutPersonalData(ended.partner, body) })
    case 'not-taken':
      throw toProblem(requestId, ended.outcome)
    default:
      return ended satisfies never
  }
}

function toProblem(requestId: string, outcome: NotTaken): Problem {
  switch (outcome.kind) {
    case 'misconfigured':
      return new Problem('partner-misconfigured', { requestId })
    case 'throttled': {
      const seconds = (parseRetryAfter(outcome.retryAfter) ?? unavailableSeconds * 1000) / 1000
      const detail = 'FreedomPay takes no more requests at the moment, so it did not take this one.'
      return new Problem('partner-unavailable', { requestId, detail, headers: retryAfter(seconds) })
    }
    case 'not-sent':
      return new Problem('partner-unavailable', {
        requestId,
        headers: retryAfter(unavailableSeconds),
        cause: outcome.cause,
      })
    default:
      return outcome satisfies never
  }
}
