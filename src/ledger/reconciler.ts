/**
 * Finds out what became of the creates that nobody works on any more, this process's and those that a dead one left behind.
 * The ledger hands each row to one replica at a time. It only asks.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Change, isFinal, type Ledger, type Row } from './ledger.ts'

interface ReconcilerLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
}

export interface ReconcilerParts {
  readonly ledger: Ledger
  /** Asks the partner what became of a row; undefined where nothing was learnt. Rejects when `signal` says to stop. */
  readonly findOut: (row: Row, log: Pick<ReconcilerLog, 'warn'>, signal: AbortSignal) => Promise<Change | undefined>
  /** Longer than asking can take: until then no other replica is given the row. */
  readonly leaseMs: number
  readonly log: ReconcilerLog
}

export interface Reconciler {
  stop(): Promise<void>
}

const concurrency = 8
const idlePauseMs = 500
const forgetEveryMs = 60_000
const firstPauseMs = 1000
const longestPauseMs = 5 * 60_000

/** Milliseconds: 1 s to 5 min, doubling, with jitter down to the half, so that what failed together is not asked about together. */
export function pauseAfter(asks: number, random = Math.random): number {
  const pauseMs = Math.min(firstPauseMs * 2 ** Math.max(0, asks - 1), longestPauseMs)
  return Math.round(pauseMs * (0.5 + random() / 2))
}

export function startReconciler({ ledger, findOut, leaseMs, log }: ReconcilerParts): Reconciler {
  const stopping = new AbortController()
  const { signal } = stopping
  const asking = new Set<Promise<void>>()
  let isLedgerDown = false
  let forgottenAt = performance.now()

  async function askAbout(row: Row): Promise<void> {
    const { requestId, claims, asks } = row
    try {
      const change = await findOut(
        row,
        { warn: (fields, message) => log.warn({ requestId, ...fields }, message) },
        signal,
      )
      if (change !== undefined) {
        const recorded = await ledger.record(requestId, claims, change)
        if (isFinal(change.state)) log.info({ requestId, state: recorded?.state, asks }, 'outcome found out')
      }
      await ledger.postpone(requestId, claims, pauseAfter(asks))
    } catch (err) {
      // The lease runs out, and the row is asked about again.
      if (!signal.aborted) log.warn({ requestId, err }, 'asking what became of a create failed')
    }
  }

  async function takeDue(): Promise<Row | undefined> {
    try {
      if (performance.now() - forgottenAt > forgetEveryMs) {
        forgottenAt = performance.now()
        await ledger.forgetOld()
      }
      const row = await ledger.takeDue(leaseMs)
      isLedgerDown = false
      return row
    } catch (err) {
      if (!isLedgerDown) log.warn({ err }, 'the reconciler cannot reach the ledger')
      isLedgerDown = true
      return undefined
    }
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      const row = asking.size < concurrency ? await takeDue() : undefined
      if (row === undefined) {
        await sleep(idlePauseMs, undefined, { signal }).catch(() => undefined)
        continue
      }
      const work = askAbout(row)
      asking.add(work)
      void work.then(() => asking.delete(work))
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
