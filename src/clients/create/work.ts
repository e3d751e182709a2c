/** What this process is working on, and how long each caller waits for it. */
import type { Ledger, Row } from '../../ledger/ledger.ts'
import type { Settlement } from '../answer.ts'
import type { CreateCommand } from './create-command.ts'

export interface Work {
  /** Of the request that began it. */
  readonly requestId: string
  readonly fingerprint: string
  readonly settlement: Promise<Settlement>
  /** What can be told while it goes on; undefined until it is claimed. */
  interim: Settlement | undefined
}

const afterTheWait = 'The caller’s wait was over; this line records how the create ended'

/** The work goes on when the caller's wait is over: a create that was sent is never given up. */
export async function withinWait(
  work: Work,
  { waitMs, arrivedAt, log }: CreateCommand,
  ledger: Ledger,
): Promise<Settlement> {
  // Without a wait of its own, or with none at all, the caller is answered as soon as there is news.
  if (waitMs === undefined || waitMs === 0) return work.settlement
  const { promise: waited, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(resolve, Math.max(0, Math.ceil(arrivedAt + waitMs - performance.now())), undefined)
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
    clearTimeout(timer)
  }
}

/** What the ledger says by now, as another replica may have learnt more; undefined before the create is claimed. */
export async function readLatest({ interim }: Work, ledger: Ledger): Promise<Settlement | undefined> {
  if (interim === undefined) return undefined
  const row = await ledger.find(interim.row.requestId).catch(() => undefined)
  return row === undefined ? interim : { ...interim, row }
}

/** What can be told of a create that is still being worked on. */
export function toInterim(row: Row, how: 'new' | 'replayed'): Settlement {
  const state = row.state === 'processing' ? 'processing' : 'unknown'
  return { row: { ...row, state, updatedAtMs: Date.now() }, how }
}
