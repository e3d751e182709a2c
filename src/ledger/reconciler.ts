/**
 * The reconciler learns the outcome of creates that no request works on: creates of this process, and creates that a crashed
 * process left behind. The ledger gives each row to one replica at a time. The reconciler only asks and never sends a create.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Change, Ledger, Row } from './ledger.ts'
import { attentionAfterMs, inferredAsksAtMs } from './rules.ts'
import { isFinal, type State } from './states.ts'

export interface ReconcilerLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
}

/** The result of one question. */
export interface Lesson {
  readonly change: Change | undefined
  readonly doubts: number
  readonly isAcknowledged: boolean
  /** True if FreedomPay's answer was about the request. */
  readonly isAnswered: boolean
  /** FreedomPay's `Retry-After`, or 0. */
  readonly throttledMs: number
  /** Milliseconds until the same answer again leads to a conclusion. */
  readonly concludesInMs: number
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

const idlePauseMs = 500
const forgetEveryMs = 60_000
const firstPauseMs = 1000
const longestPauseMs = 5 * 60_000
const attentionPauseMs = 3_600_000

/** 1 s to 5 min, doubling. The jitter (50 to 100 %) spreads the questions about creates that failed at the same time. */
export function pauseAfter(asks: number, random = Math.random): number {
  const pauseMs = Math.min(firstPauseMs * 2 ** Math.max(0, asks - 1), longestPauseMs)
  return Math.round(pauseMs * (0.5 + random() / 2))
}

/** Milliseconds until the next question about an unchanged row; undefined: the last question has been asked. */
export function pauseFor(row: Row, { isAnswered, throttledMs, concludesInMs }: Lesson): number | undefined {
  if (row.isInferred) {
    if (!isAnswered) return Math.ceil(Math.max(inferredAsksAtMs[0], throttledMs))
    // Counts time, not questions: a crash between the lease and the question must not use up one of the few questions.
    const next = inferredAsksAtMs.find((atMs) => atMs > row.sinceUpdateMs)
    return next === undefined ? undefined : Math.ceil(next - row.sinceUpdateMs)
  }
  const usualMs = row.sinceLastSendMs >= attentionAfterMs ? attentionPauseMs : pauseAfter(row.asks)
  return Math.ceil(Math.max(Math.min(usualMs, concludesInMs), throttledMs))
}

export function startReconciler(parts: ReconcilerParts): Reconciler {
  const { ledger, findOut, leaseMs, concurrency, log, observer } = parts
  const stopping = new AbortController()
  const { signal } = stopping
  const asking = new Set<Promise<void>>()
  let isLedgerDown = false
  let forgottenAt = performance.now()
  let throttledUntil = 0

  async function askAbout(row: Row): Promise<void> {
    const { requestId, claimToken } = row
    const rowLog: Pick<ReconcilerLog, 'warn'> = {
      warn: (fields, message) => log.warn({ requestId, ...fields }, message),
    }
    try {
      const lesson = await findOut(row, rowLog, signal)
      throttledUntil = Math.max(throttledUntil, performance.now() + lesson.throttledMs)
      if (lesson.change !== undefined && (await isTaken(row, lesson.change))) return
      const { doubts, isAcknowledged } = lesson
      const { asks } = row
      const pauseMs = pauseFor(row, lesson)
      await ledger.postpone({ requestId, claimToken, pauseMs, takenAsks: asks, asks, doubts, isAcknowledged })
    } catch (err) {
      // The row is due again when its lease expires.
      if (!signal.aborted)
        rowLog.warn({ err }, 'a question about a create failed; the row is due again when its lease expires')
    }
  }

  async function isTaken(
    { requestId, claimToken, asks, isInferred, state: from }: Row,
    change: Change,
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

  async function takeDue(): Promise<Row[]> {
    try {
      if (performance.now() - forgottenAt > forgetEveryMs) {
        forgottenAt = performance.now()
        await ledger.forgetOld()
      }
      const rows = await ledger.takeDue(leaseMs, concurrency - asking.size)
      isLedgerDown = false
      return rows
    } catch (err) {
      if (!isLedgerDown) log.warn({ err }, 'the reconciler cannot reach the ledger')
      isLedgerDown = true
      return []
    }
  }

  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal }).catch(() => undefined)
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const throttledMs = throttledUntil - performance.now()
      if (throttledMs > 0) {
        await pause(throttledMs)
        continue
      }
      const rows = await takeDue()
      for (const row of rows) {
        const work = askAbout(row)
        asking.add(work)
        void work.then(() => asking.delete(work))
      }
      if (asking.size >= concurrency) await Promise.race(asking)
      else if (rows.length === 0) await pause(idlePauseMs)
    }
    await Promise.all(asking)
  }

  const running = run()
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}
