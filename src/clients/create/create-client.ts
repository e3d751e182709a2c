/**
 * The whole story of one create: claim it in the ledger, send it, find out what came of it, write that down, tell it. One
 * intent is sent under one request_id, by the holder of the claim alone; every other request with its key joins, waits or reads.
 */
import { randomUUID } from 'node:crypto'
import { isFinal, isOverdue, type Ledger, type Row } from '../../ledger/ledger.ts'
import type { Bulkhead, Seat } from '../../partner/bulkhead.ts'
import { encodeRequest } from '../../partner/encode.ts'
import { Problem, retryAfter, safeToRetryWith } from '../../problems/problem.ts'
import { type CreateResult, inProgress, notSentAgain, type Settlement, toAnswer } from '../answer.ts'
import type { CreateClient } from '../body/schema.ts'
import { conclude } from './conclude.ts'
import type { Delivered, Delivery, DeliveryContext } from './deliver.ts'
import { toKnowledge } from './find-out.ts'
import { type RequestDefaults, toAddClientRequest } from './mapping.ts'

export interface CreateClientSettings {
  readonly defaults: RequestDefaults
  /** Everything one create may take. */
  readonly deadlineMs: number
  /** How long a create waits for a final outcome while FreedomPay says `process`. */
  readonly waitMs: number
  /** False: nothing is ever sent twice. */
  readonly mayResend: boolean
}

export interface CreateClientParts {
  readonly ledger: Ledger
  readonly delivery: Delivery
  readonly bulkhead: Bulkhead
  readonly settings: CreateClientSettings
}

export interface CommandLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
  error(fields: Record<string, unknown>, message: string): void
}

export interface CreateCommand {
  /** Identifies this intent, here and at FreedomPay. */
  readonly requestId: string
  /** Of the caller and its idempotency key; undefined without a key. */
  readonly keyId: string | undefined
  readonly caller: string
  /** Of the body, by the ledger's key and then by the one before it; empty without an idempotency key. */
  readonly fingerprints: readonly string[]
  readonly body: CreateClient
  /** When the request arrived, on the clock of `performance.now()`. */
  readonly arrivedAt: number
  /** The caller's own wait for a final outcome, from the arrival of the request. */
  readonly waitMs: number | undefined
  readonly log: CommandLog
}

/**
 * @throws Problem partner-rejected, partner-misconfigured, partner-unavailable (only where that is certain),
 * request-in-progress, idempotency-key-reused, overloaded, ledger-unavailable (nothing was sent)
 */
export type CreateClientAtPartner = (command: CreateCommand) => Promise<CreateResult>

/** What this process is working on. */
interface Work {
  readonly fingerprint: string
  readonly settlement: Promise<Settlement>
  /** What can be told while it goes on; undefined until it is claimed. */
  interim: Settlement | undefined
}

const overloadedSeconds = 1
const ledgerSeconds = 2

export function buildCreateClient({ ledger, delivery, bulkhead, settings }: CreateClientParts): CreateClientAtPartner {
  /** By the key's id. Without a key no other request can join. */
  const works = new Map<string, Work>()

  return async (command) => {
    const { keyId, fingerprints } = command
    const running = keyId === undefined ? undefined : works.get(keyId)
    if (running === undefined) return toAnswer(await begin(command))
    if (!fingerprints.includes(running.fingerprint)) throw keyReused(command)
    // The first request's body is being sent; this one would only be held as long.
    forgetDocument(command.body)
    const seat = bulkhead.wait()
    try {
      const settlement = seat === undefined ? running.interim : await withinWait(running, command)
      if (settlement === undefined) throw inProgress(command.requestId)
      return toAnswer({ ...settlement, how: 'joined' })
    } finally {
      seat?.leave()
    }
  }

  async function begin(command: CreateCommand): Promise<Settlement> {
    const { keyId, fingerprints } = command
    const seat = bulkhead.enter()
    if (seat === undefined) return replayWithoutPlace(command)
    const work: Work = {
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
    return withinWait(work, command)
  }

  /** The work goes on when the caller's wait is over: a create that was sent is never given up. */
  async function withinWait(work: Work, { waitMs, arrivedAt, log }: CreateCommand): Promise<Settlement> {
    // Without a wait of its own, or with none at all, the caller is answered as soon as there is news.
    if (waitMs === undefined || waitMs === 0) return work.settlement
    const { promise: waited, resolve } = Promise.withResolvers<undefined>()
    const timer = setTimeout(resolve, arrivedAt + waitMs - performance.now(), undefined)
    try {
      const settlement = (await Promise.race([work.settlement, waited])) ?? work.interim
      if (settlement === undefined) return await work.settlement
      if (settlement === work.interim) {
        work.settlement.then(
          ({ row }) => log.info({ outcome: row.state }, afterTheWait),
          (err: unknown) => log.warn({ err }, afterTheWait),
        )
      }
      return settlement
    } finally {
      clearTimeout(timer)
    }
  }

  /** A key whose outcome is final is answered even when every place is taken. */
  async function replayWithoutPlace(command: CreateCommand): Promise<Settlement> {
    const { keyId, fingerprints } = command
    const row = keyId === undefined ? undefined : await ledger.findByKey(keyId).catch(() => undefined)
    const isReplay = row !== undefined && row.state !== 'not-created' && isFinal(row.state)
    if (isReplay && fingerprints.includes(row.fingerprint)) return { row, how: 'replayed' }
    if (isReplay) throw keyReused(command)
    throw new Problem('overloaded', { headers: retryAfter(overloadedSeconds), safeToRetry: safeToRetryWith(keyId) })
  }

  async function settle(command: CreateCommand, seat: Seat, work: Work): Promise<Settlement> {
    const { keyId, fingerprints } = command
    const deadlineAt = performance.now() + settings.deadlineMs
    const { isClaimed, row } = await claim(command, deadlineAt)
    if (isClaimed) return await carryOn(row, 'send')
    if (keyId === undefined || !fingerprints.includes(row.fingerprint)) throw keyReused(command)
    switch (row.state) {
      case 'created':
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
      const renewed = await renew(known, deadlineAt, mayHaveArrived)
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
    let held = row
    work.interim = toInterim(row, how)
    const context: DeliveryContext = {
      deadlineAt,
      waitUntil: arrivedAt + waitMs,
      log,
      mayHaveArrived: row.mayHaveArrived,
      startWaiting() {
        work.interim = toInterim({ ...row, state: 'processing' }, how)
        return seat.wait()
      },
      async renew(mayHaveArrived) {
        const renewed = await renew(held, deadlineAt, mayHaveArrived).catch(() => undefined)
        if (renewed !== undefined) held = renewed
        return renewed !== undefined
      },
    }
    const encode = () => {
      const request = encodeRequest(toAddClientRequest(body, requestId, settings.defaults))
      // The document is in `request`.
      forgetDocument(body)
      return request
    }
    const delivered = how === 'send' ? await delivery.send(encode(), context) : await pursue(encode, row, context, body)
    // A pursuit that claimed the row anew has sent it, too.
    const status = how === 'send' || held !== row ? ('new' as const) : ('replayed' as const)
    const isFirstClaim = how === 'send' && row.claims === 1
    return await conclude(ledger, { row: held, isFirstClaim, how: status }, delivered, command)
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

  /** Before anything is sent. Of any number of requests with one key, one is told that it is claimed. */
  function claim({ requestId, keyId, caller, fingerprints }: CreateCommand, deadlineAt: number) {
    const [fingerprint = ''] = fingerprints
    const deadlineMs = Math.max(1, Math.round(deadlineAt - performance.now()))
    return ledger
      .claim({ requestId, keyId, caller, fingerprint, claimToken: randomUUID(), deadlineMs })
      .catch((cause: unknown) => {
        throw ledgerUnavailable(keyId, cause)
      })
  }

  function renew(row: Row, deadlineAt: number, mayHaveArrived: boolean): Promise<Row | undefined> {
    const deadlineMs = Math.max(1, Math.round(deadlineAt - performance.now()))
    const { requestId, claimToken: from } = row
    return ledger.renew({ requestId, from, to: randomUUID(), deadlineMs, mayHaveArrived }).catch((cause: unknown) => {
      throw ledgerUnavailable(row.keyId, cause)
    })
  }
}

const afterTheWait = 'The caller’s wait was over; this line records how the create ended'

/** What can be told of a create that is still being worked on. */
function toInterim(row: Row, how: 'send' | 'pursue'): Settlement {
  const state = row.state === 'processing' ? 'processing' : 'unknown'
  return { row: { ...row, state, updatedAtMs: Date.now() }, how: how === 'send' ? 'new' : 'replayed' }
}

function keyReused({ requestId }: CreateCommand): Problem {
  return new Problem('idempotency-key-reused', { requestId })
}

function ledgerUnavailable(keyId: string | undefined, cause: unknown): Problem {
  const safeToRetry = safeToRetryWith(keyId)
  return new Problem('ledger-unavailable', { headers: retryAfter(ledgerSeconds), safeToRetry, cause })
}

/** Up to 2.7 MiB, which would otherwise be held twice for as long as FreedomPay takes. */
function forgetDocument(body: CreateClient): void {
  if (body.document !== undefined) body.document = undefined
}
