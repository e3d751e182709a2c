/**
 * One create from start to end: claim the row, send the request, learn the outcome, record the outcome, answer the caller.
 * One intent has one request_id. Only the holder of the claim sends. Every other request with the same key joins the running
 * create, or reads the row.
 */
import type { Ledger } from '../../ledger/ledger.ts'
import { isFinal } from '../../ledger/states.ts'
import type { Bulkhead } from '../../partner/bulkhead.ts'
import type { DriftBook } from '../../partner/drifts.ts'
import { Problem, retryAfter, safeToRetryWith } from '../../problems/problem.ts'
import { type CreateAnswer, inProgress, keyReused, type Settlement, toAnswer } from '../answer.ts'
import { byDeadline } from './by-deadline.ts'
import type { Claims } from './claims.ts'
import { type CreateCommand, forgetDocument } from './create-command.ts'
import type { Delivery } from './deliver.ts'
import type { RequestDefaults } from './mapping.ts'
import { settle } from './settle.ts'
import { readLatest, Work, withinOwnWait, withinWait } from './work.ts'

export interface CreateClientSettings {
  readonly defaults: RequestDefaults
  /** The deadline of one create, counted from the arrival of the request. */
  readonly deadlineMs: number
  /** How long a create waits for a final outcome while FreedomPay says `process`. */
  readonly waitMs: number
  /** False: a create that may have reached FreedomPay is not sent again. */
  readonly mayResend: boolean
}

export interface CreateClientParts {
  readonly ledger: Ledger
  readonly claims: Claims
  readonly delivery: Delivery
  readonly bulkhead: Bulkhead
  readonly settings: CreateClientSettings
  readonly driftBook: DriftBook
  /** Counts the requests that FreedomPay already had and the ledger had no record of. */
  readonly countUnknownDuplicate: () => void
}

/**
 * @throws Problem partner-rejected, partner-misconfigured, partner-unavailable (FreedomPay provably has no such request),
 * request-in-progress, idempotency-key-reused, overloaded, ledger-unavailable (nothing was sent)
 */
export type CreateClientAtPartner = (command: CreateCommand) => Promise<CreateAnswer>

const overloadedSeconds = 1

export function buildCreateClient(parts: CreateClientParts): CreateClientAtPartner {
  /** Keyed by keyId. A create without an idempotency key cannot be joined. */
  const works = new Map<string, Work>()

  return async (command) => {
    const running = command.keyId === undefined ? undefined : works.get(command.keyId)
    return toAnswer(await (running === undefined ? begin(parts, works, command) : join(parts, running, command)))
  }
}

function begin(parts: CreateClientParts, works: Map<string, Work>, command: CreateCommand): Promise<Settlement> {
  const { keyId, fingerprints, requestId } = command
  const seat = parts.bulkhead.enter(command.caller)
  if (seat === undefined) return replayWithoutPlace(parts, command)
  const work = new Work(requestId, fingerprints[0], async (work) => {
    try {
      return await settle(parts, { command, seat, work })
    } finally {
      if (keyId !== undefined) works.delete(keyId)
      seat.leave()
    }
  })
  if (keyId !== undefined) works.set(keyId, work)
  return withinWait(work, command, findInTime(parts, command))
}

async function join(parts: CreateClientParts, running: Work, command: CreateCommand): Promise<Settlement> {
  if (!command.fingerprints.includes(running.fingerprint)) throw keyReused(running)
  command.log.requestId = running.requestId
  // The body of the first request is the one that is sent. A second copy would only use memory.
  forgetDocument(command.body)
  const find = findInTime(parts, command)
  const seat = parts.bulkhead.wait()
  try {
    const settlement =
      seat === undefined
        ? await readLatest(running, find)
        : await withinOwnWait(running, command, parts.settings.waitMs, find)
    if (settlement === undefined) throw inProgress(running.requestId)
    return { ...settlement, how: 'joined' as const }
  } finally {
    seat?.leave()
  }
}

/** Reads rows, but not beyond the deadline of the request. */
function findInTime({ ledger, settings }: CreateClientParts, { arrivedAt }: CreateCommand): Ledger['find'] {
  return (requestId) => byDeadline(ledger.find(requestId), arrivedAt + settings.deadlineMs)
}

/** A final outcome is replayed even when the bulkhead is full: a replay calls only the ledger. */
async function replayWithoutPlace(
  { ledger, settings }: CreateClientParts,
  command: CreateCommand,
): Promise<Settlement> {
  const { keyId, fingerprints, log, arrivedAt } = command
  const deadlineAt = arrivedAt + settings.deadlineMs
  const row =
    keyId === undefined ? undefined : await byDeadline(ledger.findByKey(keyId), deadlineAt).catch(() => undefined)
  if (row !== undefined) log.requestId = row.requestId
  const isReplay = row !== undefined && row.state !== 'not-created' && isFinal(row.state)
  if (isReplay && fingerprints.includes(row.fingerprint)) return { row, how: 'replayed' }
  if (isReplay) throw keyReused(row)
  throw new Problem('overloaded', { headers: retryAfter(overloadedSeconds), safeToRetry: safeToRetryWith(keyId) })
}
