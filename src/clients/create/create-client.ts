/**
 * The whole story of one create: claim it in the ledger, send it, find out what came of it, write that down, tell it. One
 * intent is sent under one request_id, by whoever holds the claim; everybody else joins, waits or reads.
 */
import { type Change, isFinal, type Ledger, type Row } from '../../ledger/ledger.ts'
import { encodeRequest } from '../../partner/encode.ts'
import type { Bulkhead } from '../../partner/resilience.ts'
import { Problem, retryAfter } from '../../problems/problem.ts'
import { type CreateResult, type IdempotencyStatus, inProgress, type Settlement, toAnswer } from '../answer.ts'
import type { CreateClient } from '../body/schema.ts'
import type { Ended, Pursuit, PursuitContext } from './deliver.ts'
import { duplicateMark, mayBeAbsent } from './find-out.ts'
import { type RequestDefaults, toAddClientRequest } from './mapping.ts'
import { withoutPersonalData } from './mask-reason.ts'

export interface CreateClientSettings {
  readonly defaults: RequestDefaults
  /** Everything one create may take. */
  readonly deadlineMs: number
}

export interface CreateClientParts {
  readonly ledger: Ledger
  readonly pursuit: Pursuit
  readonly bulkhead: Bulkhead
  readonly settings: CreateClientSettings
}

interface CommandLog {
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

export interface CreateCommand {
  /** Identifies this intent, here and at the partner. */
  readonly requestId: string
  readonly caller: string
  /** Of the body; empty without an idempotency key. */
  readonly fingerprint: string
  readonly body: CreateClient
  /** The caller's own wait for a final outcome, from the arrival of the request. */
  readonly waitMs: number | undefined
  readonly log: CommandLog
}

/**
 * @throws Problem partner-rejected, partner-misconfigured, partner-unavailable (only where that is certain),
 * request-in-progress, idempotency-key-reused, overloaded, ledger-unavailable (nothing was sent)
 */
export type CreateClientAtPartner = (command: CreateCommand) => Promise<CreateResult>

interface Work {
  readonly fingerprint: string
  readonly settlement: Promise<Settlement>
}

const overloadedSeconds = 1
const ledgerSeconds = 2

export function buildCreateClient({ ledger, pursuit, bulkhead, settings }: CreateClientParts): CreateClientAtPartner {
  /** What this process is working on, by request_id. Without a key nobody can join. */
  const works = new Map<string, Work>()

  return async (command) => {
    const { requestId, fingerprint, body } = command
    const isKeyed = fingerprint !== ''
    const running = isKeyed ? works.get(requestId) : undefined
    if (running !== undefined) {
      if (running.fingerprint !== fingerprint) throw keyReused(requestId)
      // The first request's is being sent; this one would only be held as long.
      forgetDocument(body)
      return toAnswer(await running.settlement, 'joined')
    }
    if (!bulkhead.enter()) throw new Problem('overloaded', { headers: retryAfter(overloadedSeconds) })
    try {
      const work = settle(command)
      if (isKeyed) works.set(requestId, { fingerprint, settlement: work })
      const settlement = await work
      return toAnswer(settlement, isKeyed ? settlement.how : undefined)
    } finally {
      if (isKeyed) works.delete(requestId)
      bulkhead.leave()
    }
  }

  async function settle(command: CreateCommand): Promise<Settlement> {
    const { requestId, fingerprint, waitMs, log } = command
    const startedAt = performance.now()
    const context = { startedAt, deadlineAt: startedAt + settings.deadlineMs, waitMs, log }

    const { isClaimed, row } = await claim(command, context)
    if (isClaimed) return await send(command, row, context)
    if (row.fingerprint !== fingerprint) throw keyReused(requestId)
    if (isFinal(row.state)) return { row, how: 'replayed' }
    if (row.state === 'sent' && !row.isOverdue) throw inProgress(requestId)
    return findOut(command, row, context)
  }

  /** Before anything is sent. Whoever is told that it is claimed is the only one. */
  function claim({ requestId, caller, fingerprint }: CreateCommand, { deadlineAt }: PursuitContext) {
    const deadlineMs = Math.max(1, Math.round(deadlineAt - performance.now()))
    return ledger.claim({ requestId, caller, fingerprint, deadlineMs }).catch((cause: unknown) => {
      throw new Problem('ledger-unavailable', { headers: retryAfter(ledgerSeconds), cause })
    })
  }

  async function send(command: CreateCommand, row: Row, context: PursuitContext): Promise<Settlement> {
    const { body, requestId } = command
    const request = encodeRequest(toAddClientRequest(body, requestId, settings.defaults))
    // What is sent is in `request`.
    forgetDocument(body)
    const ended = await pursuit.send(request, { ...context, isRepeated: row.claims > 1 })
    return await conclude(command, row, ended, 'new')
  }

  /**
   * Nobody works on it any more and its outcome is not final: ask. Only when the partner turns out never to have had it is
   * the key free again, and only for whoever claims it anew.
   */
  async function findOut(command: CreateCommand, row: Row, context: PursuitContext): Promise<Settlement> {
    const { requestId } = command
    const found = await pursuit.find(requestId, row.state === 'processing' ? 'processing' : 'unknown', context)
    if (found.status !== 'never-arrived' || !mayBeAbsent(row)) return conclude(command, row, found, 'replayed')
    await ledger.record(requestId, row.claims, { state: 'not-created' }).catch(() => undefined)
    const { isClaimed, row: claimed } = await claim(command, context)
    if (isClaimed) return send(command, claimed, context)
    if (isFinal(claimed.state)) return { row: claimed, how: 'replayed' }
    throw inProgress(requestId)
  }

  /** Writes the outcome down. What the ledger then says counts: somebody else may have learnt more in the meantime. */
  async function conclude(command: CreateCommand, row: Row, ended: Ended, how: IdempotencyStatus): Promise<Settlement> {
    const { requestId, body, log } = command
    const change = toChange(ended, body)
    const notTaken = ended.status === 'not-taken' ? ended.outcome : undefined
    try {
      const recorded = await ledger.record(requestId, row.claims, change)
      if (recorded !== undefined) return { row: recorded, how, notTaken }
      log.error({}, 'the row of this create is gone from the ledger, so nobody can look it up')
    } catch (err) {
      // The outcome is known all the same. The row stays as it is, and will be asked about.
      log.error({ err }, 'the outcome could not be written to the ledger')
    }
    return { row: { ...row, ...change, updatedAtMs: Date.now() }, how, notTaken }
  }
}

function toChange(ended: Ended, body: CreateClient): Change {
  switch (ended.status) {
    case 'created':
      return { state: 'created', clientId: ended.clientId }
    case 'rejected': {
      const { code, description } = withoutPersonalData(ended.partner, body)
      return { state: 'rejected', partnerCode: code, partnerDescription: description }
    }
    case 'processing':
      return { state: 'processing' }
    case 'unknown':
      return { state: 'unknown', partnerCode: ended.isDuplicate ? duplicateMark : undefined }
    case 'never-arrived':
      return { state: 'unknown' }
    case 'not-taken':
      return { state: 'not-created' }
  }
}

function keyReused(requestId: string): Problem {
  return new Problem('idempotency-key-reused', { requestId })
}

/** Up to 2.7 MiB, which would otherwise be held twice for as long as the partner takes. */
function forgetDocument(body: CreateClient): void {
  if (body.document !== undefined) body.document = undefined
}
