/** The creates that run in this process, and the wait of each caller. */
import type { Ledger, Row } from '../../ledger/ledger.ts'
import type { Seat } from '../../partner/bulkhead.ts'
import type { IdempotencyStatus, Settlement } from '../answer.ts'
import type { CommandLog, CreateCommand } from './create-command.ts'

/** Something that happens once, and can be waited for. */
class Milestone {
  private isReached = false
  private waited: PromiseWithResolvers<void> | undefined

  reach(): void {
    this.isReached = true
    this.waited?.resolve()
  }

  reached(): Promise<void> {
    if (this.isReached) return Promise.resolve()
    this.waited ??= Promise.withResolvers()
    return this.waited.promise
  }
}

/** The row that a create works on, as it was claimed, or as the ledger has recorded it since. */
interface Present {
  readonly row: Row
  readonly how: IdempotencyStatus
}

export class Work {
  /** The requestId of the request that began the create; once claimed, of the row: a row may have its id by an earlier ledger key. */
  requestId: string
  /** '' for a create without an idempotency key. */
  readonly fingerprint: string
  readonly settlement: Promise<Settlement>
  /** FreedomPay works on the create, and the ledger knows. */
  readonly acceptance = new Milestone()
  /** The row is claimed, so the create can be read. */
  readonly beginning = new Milestone()
  private present: Present | undefined

  constructor(requestId: string, fingerprint = '', run: (work: Work) => Promise<Settlement>) {
    this.requestId = requestId
    this.fingerprint = fingerprint
    this.settlement = run(this)
  }

  /** Called with the claimed row, and again when the ledger has recorded news. */
  update(present: Present): void {
    this.present = present
    this.beginning.reach()
  }

  /** The answer about a create that still runs; undefined until the row is claimed. */
  get interim(): Settlement | undefined {
    if (this.present === undefined) return undefined
    const { row, how } = this.present
    const isNews = row.state === 'processing' || row.state === 'created'
    const state = isNews ? row.state : 'unknown'
    return { row: { ...row, state, updatedAtMs: Date.now() }, how }
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
export function withinWait(work: Work, command: CreateCommand, find: Ledger['find']): Promise<Settlement> {
  const { wait, arrivedAt, log } = command
  // The delivery itself ends after the default wait.
  if (wait === undefined) return work.settlement
  const isAccepted = wait === 'until-accepted'
  return waitUntil(isAccepted ? 0 : arrivedAt + wait, work, log, find, isAccepted ? work.acceptance : undefined)
}

/** A request that joins has a wait of its own. Without `Prefer: wait` the wait cannot end before FreedomPay has accepted the create. */
export function withinOwnWait(
  work: Work,
  { wait, arrivedAt, log }: CreateCommand,
  defaultMs: number,
  find: Ledger['find'],
): Promise<Settlement> {
  if (typeof wait === 'number') return waitUntil(arrivedAt + wait, work, log, find)
  return waitUntil(wait === undefined ? arrivedAt + defaultMs : 0, work, log, find, work.acceptance)
}

async function waitUntil(
  endAt: number,
  work: Work,
  log: CommandLog,
  find: Ledger['find'],
  notBefore?: Milestone,
): Promise<Settlement> {
  const { promise: waited, resolve } = Promise.withResolvers<undefined>()
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  function startTimer(): void {
    if (!isOver) timer = setTimeout(resolve, Math.max(0, Math.ceil(endAt - performance.now())), undefined)
  }
  if (notBefore === undefined) startTimer()
  else void notBefore.reached().then(startTimer)
  try {
    const settlement = await Promise.race([work.settlement, waited])
    if (settlement !== undefined) return settlement
    // Before the claim the caller could not read the create, and nothing may have been sent.
    await Promise.race([work.settlement, work.beginning.reached()])
    const latest = await readLatest(work, find)
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
export async function readLatest({ interim }: Work, find: Ledger['find']): Promise<Settlement | undefined> {
  if (interim === undefined) return undefined
  const row = await find(interim.row.requestId).catch(() => undefined)
  return row === undefined ? interim : { ...interim, row }
}
