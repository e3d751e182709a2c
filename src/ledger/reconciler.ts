/**
 * The reconciler learns the outcome of creates that no request works on: creates of this process, and creates that a crashed
 * process left behind. The ledger gives each row to one replica at a time. The reconciler only asks and never sends a create.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Change, Ledger, Row } from './ledger.ts'
import { type LessonTiming, pauseFor } from './question-pauses.ts'
import { isFinal, type State } from './states.ts'

export interface ReconcilerLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
}

/** The result of one question. */
export interface Lesson extends LessonTiming {
  readonly change: Change | undefined
  readonly doubts: number
  readonly isAcknowledged: boolean
}

export interface ReconcilerParts {
  readonly ledger: Ledger
  /** Asks FreedomPay about a row. Rejects when `signal` is aborted. */
  readonly findOut: (row: Row, log: Pick<ReconcilerLog, 'warn'>, signal: AbortSignal) => Promise<Lesson>
  /** The lease: during this time no other replica gets the row. Longer than a question can take. */
  readonly leaseMs: number
  /** The highest number of concurrent questions. */
  readonly concurrency: number
  readonly log: ReconcilerLog
  readonly observer: ReconcilerObserver
}

export interface ReconcilerObserver {
  foundOut(state: State): void
  corrected(from: State, to: State): void
}

export interface Reconciler {
  stop(): Promise<void>
}

/** The reconciler asks about at most `concurrency` rows at once. It pauses while no row is due, and while FreedomPay throttles. */
export function startReconciler(parts: ReconcilerParts): Reconciler {
  const stopping = new AbortController()
  const running = new ReconcilingLoop(parts, stopping.signal).run()
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}

const idlePauseMs = 500
const forgetEveryMs = 60_000

class ReconcilingLoop {
  private readonly parts: ReconcilerParts
  private readonly signal: AbortSignal
  private readonly asking = new Set<Promise<void>>()
  private isLedgerDown = false
  private forgottenAt = performance.now()
  private throttledUntil = 0

  constructor(parts: ReconcilerParts, signal: AbortSignal) {
    this.parts = parts
    this.signal = signal
  }

  async run(): Promise<void> {
    const { concurrency } = this.parts
    while (!this.signal.aborted) {
      const throttledMs = this.throttledUntil - performance.now()
      if (throttledMs > 0) {
        await this.pause(throttledMs)
        continue
      }
      const rows = await this.takeDue()
      for (const row of rows) this.startAsking(row)
      if (this.asking.size >= concurrency) await Promise.race(this.asking)
      else if (rows.length === 0) await this.pause(idlePauseMs)
    }
    await Promise.all(this.asking)
  }

  private async takeDue(): Promise<Row[]> {
    const { ledger, leaseMs, concurrency, log } = this.parts
    try {
      if (performance.now() - this.forgottenAt > forgetEveryMs) {
        this.forgottenAt = performance.now()
        await ledger.forgetOld()
      }
      const rows = await ledger.takeDue(leaseMs, concurrency - this.asking.size)
      this.isLedgerDown = false
      return rows
    } catch (err) {
      if (!this.isLedgerDown) log.warn({ err }, 'the reconciler cannot reach the ledger')
      this.isLedgerDown = true
      return []
    }
  }

  private startAsking(row: Row): void {
    const work = this.askAbout(row)
    this.asking.add(work)
    void work.then(() => this.asking.delete(work))
  }

  private async askAbout(row: Row): Promise<void> {
    const { ledger, findOut, log } = this.parts
    const { requestId, claimToken, asks } = row
    const rowLog: Pick<ReconcilerLog, 'warn'> = {
      warn: (fields, message) => log.warn({ requestId, ...fields }, message),
    }
    try {
      const lesson = await findOut(row, rowLog, this.signal)
      this.throttledUntil = Math.max(this.throttledUntil, performance.now() + lesson.throttledMs)
      const { change, isAcknowledged } = lesson
      // A create may have heard another answer meanwhile. Then the doubts begin anew.
      const isContradicted = lesson.doubts > 0 && !(await isUnchanged(row, ledger))
      if (change !== undefined && !isContradicted && (await isTaken(row, change, this.parts))) return
      const doubts = isContradicted ? 0 : lesson.doubts
      const pauseMs = pauseFor(row, lesson)
      await ledger.postpone({ requestId, claimToken, pauseMs, takenAsks: asks, asks, doubts, isAcknowledged })
    } catch (err) {
      // The row is due again when its lease expires.
      if (!this.signal.aborted)
        rowLog.warn({ err }, 'a question about a create failed; the row is due again when its lease expires')
    }
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.signal }).catch(() => undefined)
  }
}

async function isUnchanged({ requestId, state, doubts }: Row, ledger: Ledger): Promise<boolean> {
  const latest = await ledger.find(requestId)
  return latest?.state === state && latest.doubts === doubts
}

/** Records the change. False if the ledger keeps its row as it is. */
async function isTaken(
  { requestId, claimToken, asks, isInferred, state: from }: Row,
  change: Change,
  { ledger, log, observer }: ReconcilerParts,
): Promise<boolean> {
  const recorded = await ledger.record(requestId, claimToken, change)
  if (recorded?.was === undefined) return false
  const { state } = change
  if (isInferred && state !== from) {
    log.warn({ requestId, from, state, asks }, 'an outcome was corrected')
    observer.corrected(from, state)
  } else if (isFinal(state) && from !== state) {
    log.info({ requestId, state, asks }, 'the reconciler learned the outcome')
    observer.foundOut(state)
  }
  return true
}
