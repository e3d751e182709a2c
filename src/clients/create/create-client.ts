/**
 * One create from start to end: claim the row, send the request, learn the outcome, record the outcome, answer the caller.
 * One intent has one request_id. Only the holder of the claim sends. Every other request with the same key joins the running
 * create, or reads the row.
 */
import type { Ledger, Row } from '../../ledger/ledger.ts'
import { graceMs, isOverdue } from '../../ledger/rules.ts'
import { isFinal } from '../../ledger/states.ts'
import type { Bulkhead, Seat } from '../../partner/bulkhead.ts'
import { type Drifts, logDrifts } from '../../partner/card-api.ts'
import { encodeRequest } from '../../partner/encode.ts'
import { Problem, retryAfter, safeToRetryWith } from '../../problems/problem.ts'
import { type CreateAnswer, inProgress, notSentAgain, type Settlement, toAnswer } from '../answer.ts'
import type { CreateClient } from '../body/schema.ts'
import { claimIn, renewIn } from './claims.ts'
import { conclude } from './conclude.ts'
import type { CreateCommand } from './create-command.ts'
import type { Delivered, Delivery, DeliveryContext } from './deliver.ts'
import { toKnowledge } from './find-out.ts'
import { type RequestDefaults, toAddClientRequest } from './mapping.ts'
import { readLatest, toInterim, type Work, withinWait } from './work.ts'

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
  readonly delivery: Delivery
  readonly bulkhead: Bulkhead
  readonly settings: CreateClientSettings
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
  const { ledger, delivery, bulkhead, settings } = parts
  /** Keyed by keyId. A create without an idempotency key cannot be joined. */
  const works = new Map<string, Work>()

  return async (command) => {
    const { keyId, fingerprints } = command
    const running = keyId === undefined ? undefined : works.get(keyId)
    if (running === undefined) return toAnswer(await begin(command))
    if (!fingerprints.includes(running.fingerprint)) throw keyReused(running)
    command.log.requestId = running.requestId
    // The body of the first request is the one that is sent. A second copy would only use memory.
    forgetDocument(command.body)
    const seat = bulkhead.wait()
    try {
      const settlement =
        seat === undefined ? await readLatest(running, ledger) : await withinWait(running, command, ledger)
      if (settlement === undefined) throw inProgress(running.requestId)
      return toAnswer({ ...settlement, how: 'joined' })
    } finally {
      seat?.leave()
    }
  }

  async function begin(command: CreateCommand): Promise<Settlement> {
    const { keyId, fingerprints, caller } = command
    const seat = bulkhead.enter(caller)
    if (seat === undefined) return replayWithoutPlace(command)
    const work: Work = {
      requestId: command.requestId,
      fingerprint: fingerprints[0] ?? '',
      interim: undefined,
      settlement: Promise.resolve()
        .then(() => settle(command, seat, work))
        .finally(() => {
          if (keyId !== undefined) works.delete(keyId)
          seat.leave()
        }),
    }
    if (keyId !== undefined) works.set(keyId, work)
    return withinWait(work, command, ledger)
  }

  /** A final outcome is replayed even when the bulkhead is full: a replay calls only the ledger. */
  async function replayWithoutPlace(command: CreateCommand): Promise<Settlement> {
    const { keyId, fingerprints, log } = command
    const row = keyId === undefined ? undefined : await ledger.findByKey(keyId).catch(() => undefined)
    if (row !== undefined) log.requestId = row.requestId
    const isReplay = row !== undefined && row.state !== 'not-created' && isFinal(row.state)
    if (isReplay && fingerprints.includes(row.fingerprint)) return { row, how: 'replayed' }
    if (isReplay) throw keyReused(row)
    throw new Problem('overloaded', { headers: retryAfter(overloadedSeconds), safeToRetry: safeToRetryWith(keyId) })
  }

  async function settle(command: CreateCommand, seat: Seat, work: Work): Promise<Settlement> {
    const { keyId, fingerprints, arrivedAt, log } = command
    const deadlineAt = arrivedAt + settings.deadlineMs
    const { isClaimed, row } = await claimIn(ledger, command, deadlineAt)
    work.requestId = row.requestId
    log.requestId = row.requestId
    if (isClaimed) return await carryOn(row, 'send')
    if (keyId === undefined || !fingerprints.includes(row.fingerprint)) throw keyReused(row)
    switch (row.state) {
      case 'created':
        // The client's id may be missing from the row, so FreedomPay is asked for the id.
        return row.clientId === undefined ? await carryOn(row, 'pursue') : { row, how: 'replayed' }
      case 'rejected':
        return { row, how: 'replayed' }
      case 'not-created':
        return await sendAnew(row)
      case 'sent':
        if (!isOverdue(row)) throw inProgress(row.requestId)
        return await carryOn(row, 'pursue')
      case 'unknown':
      case 'processing':
        return await carryOn(row, 'pursue')
    }

    async function sendAnew(known: Row): Promise<Settlement> {
      const mayHaveArrived = known.mayHaveArrived || known.isInferred
      if (mayHaveArrived && !settings.mayResend) throw notSentAgain(known.requestId)
      const renewed = await renewIn(ledger, known, deadlineAt, mayHaveArrived)
      if (renewed === undefined) throw inProgress(known.requestId)
      return await carryOn(renewed, 'send')
    }

    async function carryOn(known: Row, how: 'send' | 'pursue'): Promise<Settlement> {
      return await carryOut(command, known, how, deadlineAt, seat, work)
    }
  }

  async function carryOut(
    command: CreateCommand,
    row: Row,
    how: 'send' | 'pursue',
    deadlineAt: number,
    seat: Seat,
    work: Work,
  ): Promise<Settlement> {
    const { body, log, arrivedAt, waitMs = settings.waitMs } = command
    const { requestId } = row
    const drifts: Drifts = { count: 0, first: undefined }
    let held = row
    work.interim = toInterim(row, how === 'send' ? 'new' : 'replayed')
    const context: DeliveryContext = {
      deadlineAt,
      waitUntil: arrivedAt + waitMs,
      log,
      drifts,
      mayHaveArrived: row.mayHaveArrived,
      // A created client lacks only its id. A full bulkhead must not make the answer leave the id out.
      startWaiting: (known) =>
        (seat.wait() || known === 'created') &&
        noteNews(held, known, known === 'processing' ? arrivedAt + waitMs : deadlineAt),
      async renew(mayHaveArrived) {
        const renewed = await renewIn(ledger, held, deadlineAt, mayHaveArrived).catch(() => undefined)
        if (renewed !== undefined) held = renewed
        return renewed !== undefined
      },
    }
    const encode = () => {
      const request = encodeRequest(toAddClientRequest(body, requestId, settings.defaults))
      // `request` holds the document now; a second copy would only use memory.
      forgetDocument(body)
      return request
    }
    const delivering = how === 'send' ? delivery.send(encode(), context) : pursue(encode, row, context, body)
    const delivered = await delivering.finally(() => logDrifts(drifts, log))
    // If `pursue` has renewed the claim, `pursue` has sent the create.
    const status = how === 'send' || held !== row ? ('new' as const) : ('replayed' as const)
    const isFirstClaim = how === 'send' && row.claims === 1
    return await conclude(parts, { row: held, isFirstClaim, how: status }, delivered, command)
  }

  /**
   * FreedomPay has acknowledged the create. The row records the acknowledgement while the caller still waits: other replicas
   * then give the same answer, and after a crash "no such request" is not believed. The reconciler starts after the wait.
   */
  function noteNews(row: Row, state: 'processing' | 'created', waitUntil: number): true {
    const { requestId, claimToken } = row
    const pauseMs = Math.round(Math.max(0, waitUntil - performance.now()) + graceMs)
    const postponement = { requestId, claimToken, pauseMs, takenAsks: 0, asks: 0, doubts: 0, isAcknowledged: true }
    // A failure is ignored here: the outcome writes the same facts later.
    ledger.record(requestId, claimToken, { state }).then(
      () => ledger.postpone(postponement).catch(() => undefined),
      () => undefined,
    )
    return true
  }

  async function pursue(
    encode: () => ReturnType<typeof encodeRequest>,
    row: Row,
    context: DeliveryContext,
    body: CreateClient,
  ): Promise<Delivered> {
    if (!settings.mayResend) forgetDocument(body)
    return await delivery.pursue(encode, row.requestId, toKnowledge(row, performance.now()), context)
  }
}

/** Carries the requestId of the earlier request: the new body has no request of its own. */
function keyReused({ requestId }: Pick<Row, 'requestId'>): Problem {
  return new Problem('idempotency-key-reused', { requestId })
}

/** Frees up to 2.7 MiB that the process would otherwise hold twice until FreedomPay answers. */
function forgetDocument(body: CreateClient): void {
  if (body.document !== undefined) body.document = undefined
}
