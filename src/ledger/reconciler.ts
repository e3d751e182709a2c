/**
 * Finds out what became of the creates that no request works on any more: this process's, and those that a crashed one left
 * behind. The ledger hands each row to one replica at a time. The reconciler only asks.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Change, Ledger, Row } from './ledger.ts'
import { attentionAfterMs, inferredAsksAtMs } from './rules.ts'
import { isFinal, type State } from './states.ts'

export interface ReconcilerLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
}

/** What one question taught. */
export interface Lesson {
  readonly change: Change | undefined
  readonly doubts: number
  readonly isAcknowledged: boolean
  /** FreedomPay said something of the request. */
  readonly isAnswered: boolean
  /** How long FreedomPay asked not to be asked. */
  readonly throttledMs: number
  /** When the same answer again would lead to a conclusion. */
  readonly concludesInMs: number
}

export interface ReconcilerParts {
  readonly ledger: Ledger
  /** Asks FreedomPay what became of a row. Rejects when `signal` says to stop. */
  readonly findOut: (row: Row, log: Pick<ReconcilerLog, 'warn'>, signal: AbortSignal) => Promise<Lesson>
  /** Longer than a question can take: until then no other replica is given the row. */
  readonly leaseMs: number
  /** Questions under way at once. */
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

/** Milliseconds: 1 s to 5 min, doubling, with jitter down to the half, so that what failed together is not asked about together. */
export function pauseAfter(asks: number, random = Math.random): number {
  const pauseMs = Math.min(firstPauseMs * 2 ** Math.max(0, asks - 1), longestPauseMs)
  return Math.round(pauseMs * (0.5 + random() / 2))
}

/** Until the next question about a row that is still as it was, or undefined where the last one has been asked. */
export function pauseFor(row: Row, { isAnswered, throttledMs, concludesInMs }: Lesson): number | undefined {
  if (row.isInferred) {
    if (!isAnswered) return Math.ceil(Math.max(inferredAsksAtMs[0], throttledMs))
    // By the time and not by a count: a crash between taking and asking must not use up one of the few questions.
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
      // The lease runs out, and the row is asked about again.
      if (!signal.aborted) rowLog.warn({ err }, 'asking what became of a create failed')
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
      log.info({ requestId, state, asks }, 'outcome found out')
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
