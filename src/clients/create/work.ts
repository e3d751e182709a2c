/** The creates that run in this process, and the wait of each caller. */
import type { Ledger, Row } from '../../ledger/ledger.ts'
import type { Seat } from '../../partner/bulkhead.ts'
import type { Settlement } from '../answer.ts'
import type { CommandLog, CreateCommand } from './create-command.ts'

export class Work {
  /** The requestId of the request that began the create; once claimed, of the row: a row may have its id by an earlier ledger key. */
  requestId: string
  /** '' for a create without an idempotency key. */
  readonly fingerprint: string
  readonly settlement: Promise<Settlement>
  /** The answer while the create still runs; undefined until the row is claimed. */
  interim: Settlement | undefined
  private isAccepted = false
  private acceptance: PromiseWithResolvers<void> | undefined

  constructor(requestId: string, fingerprint = '', run: (work: Work) => Promise<Settlement>) {
    this.requestId = requestId
    this.fingerprint = fingerprint
    this.settlement = run(this)
  }

  /** FreedomPay works on the create, and the ledger knows. */
  accept(): void {
    this.isAccepted = true
    this.acceptance?.resolve()
  }

  accepted(): Promise<void> {
    if (this.isAccepted) return Promise.resolve()
    this.acceptance ??= Promise.withResolvers()
    return this.acceptance.promise
  }
}

/** What the holder of a place works on. */
export interface Job {
  readonly command: CreateCommand
  readonly seat: Seat
  readonly work: Work
}

const afterTheWait = 'The caller’s wait was over; this line records how the create ended'

/** The create goes on after the caller's wait: a create that was sent is never given up. */
export function withinWait(work: Work, command: CreateCommand, ledger: Ledger): Promise<Settlement> {
  const { waitMs, arrivedAt } = command
  // Without `Prefer: wait` the delivery ends after the default wait; with `wait=0`, at FreedomPay's acknowledgement.
  if (waitMs === undefined || waitMs === 0) return work.settlement
  return waitUntil(arrivedAt + waitMs, work, command.log, ledger)
}

/** A request that joins has a wait of its own. Without `Prefer: wait` the wait cannot end before FreedomPay has accepted the create. */
export function withinOwnWait(
  work: Work,
  { waitMs, arrivedAt, log }: CreateCommand,
  defaultMs: number,
  ledger: Ledger,
): Promise<Settlement> {
  const isExplicit = waitMs !== undefined && waitMs > 0
  const endAt = arrivedAt + (waitMs ?? defaultMs)
  return waitUntil(endAt, work, log, ledger, isExplicit ? undefined : work.accepted())
}

async function waitUntil(
  endAt: number,
  work: Work,
  log: CommandLog,
  ledger: Ledger,
  notBefore?: Promise<void>,
): Promise<Settlement> {
  const { promise: waited, resolve } = Promise.withResolvers<undefined>()
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  function startTimer(): void {
    if (!isOver) timer = setTimeout(resolve, Math.max(0, Math.ceil(endAt - performance.now())), undefined)
  }
  if (notBefore === undefined) startTimer()
  else void notBefore.then(startTimer)
  try {
    const settlement = await Promise.race([work.settlement, waited])
    if (settlement !== undefined) return settlement
    const latest = await readLatest(work, ledger)
    if (latest === undefined) return await work.settlement
    work.settlement.then(
      ({ row }) => log.info({ outcome: row.state }, afterTheWait),
      (err: unknown) => log.warn({ err }, afterTheWait),
    )
    return latest
  } finally {
    isOver = true
    clearTimeout(timer)
  }
}

/** Reads the row again: another replica may have recorded a later state. Undefined before the row is claimed. */
export async function readLatest({ interim }: Work, ledger: Ledger): Promise<Settlement | undefined> {
  if (interim === undefined) return undefined
  const row = await ledger.find(interim.row.requestId).catch(() => undefined)
  return row === undefined ? interim : { ...interim, row }
}

/** The answer about a create that still runs. */
export function toInterim(row: Row, how: 'new' | 'replayed'): Settlement {
  const state = row.state === 'processing' ? 'processing' : 'unknown'
  return { row: { ...row, state, updatedAtMs: Date.now() }, how }
}
