/** The reconciler's question about a create that no request works on any more. The reconciler never sends a create. */
import type { Change, Row } from '../../ledger/ledger.ts'
import type { Lesson, ReconcilerLog } from '../../ledger/reconciler.ts'
import { type CardApi, type Drifts, logDrifts } from '../../partner/card-api.ts'
import { parseRetryAfter } from '../../partner/retry.ts'
import { concludedChange } from './conclude.ts'
import { type Conclusion, type JudgeSettings, type Knowledge, type Known, knowNothing } from './judge.ts'
import { askOnce } from './poll-status.ts'

export interface FindOutSettings extends JudgeSettings {
  /** The longest one question may take. */
  readonly askMs: number
}

/** The number of creates whose drift is remembered. Of an older one the drift would be told once more. */
const mostDrifted = 10_000

/** Asks FreedomPay about a row. Rejects when `signal` is aborted. */
export type FindOut = (row: Row, log: Pick<ReconcilerLog, 'warn'>, signal: AbortSignal) => Promise<Lesson>

export function buildFindOut(cardApi: CardApi, settings: FindOutSettings): FindOut {
  /** The creates whose drift has been told, oldest first. */
  const drifted = new Set<string>()

  return async (row, log, signal) => {
    // An abort before the listener exists fires no event, so the abort is checked here.
    signal.throwIfAborted()
    const before = toKnowledge(row, performance.now())
    const isTold = drifted.has(row.requestId)
    const drifts: Drifts = { count: isTold ? 1 : 0, first: undefined }
    let { outcome, knowledge, conclusion } = await ask(before)
    // The question may have overtaken the create, so "no such request" must be heard twice before a conclusion.
    if (outcome.kind === 'no-such-request' && untilConclusionMs(knowledge, settings) === 0) {
      ;({ outcome, knowledge, conclusion } = await ask(knowledge))
    }
    if (!isTold && drifts.count > 0) {
      remember(row.requestId)
      logDrifts(drifts, log)
    }
    const throttledMs = outcome.kind === 'throttled' ? (parseRetryAfter(outcome.retryAfter) ?? 0) : 0
    return {
      change: toChange(row, before, knowledge, conclusion),
      doubts: knowledge.doubts,
      isAcknowledged: knowledge.isAcknowledged,
      isAnswered: outcome.result === 'ok' || outcome.result === 'rejected' || outcome.kind === 'no-such-request',
      throttledMs,
      concludesInMs: conclusion === undefined ? untilConclusionMs(knowledge, settings) : Infinity,
    }

    function ask(known: Knowledge) {
      const context = { deadlineAt: performance.now() + settings.askMs, log, drifts }
      return unlessAborted(signal, askOnce(cardApi, row.requestId, known, settings, context))
    }
  }

  function remember(requestId: string): void {
    drifted.add(requestId)
    const [oldest] = drifted
    if (drifted.size > mostDrifted && oldest !== undefined) drifted.delete(oldest)
  }
}

export function toKnowledge(row: Row, now: number): Knowledge {
  const known: Known = row.state === 'created' || row.state === 'processing' ? row.state : 'unknown'
  return {
    ...knowNothing(now - row.sinceLastSendMs),
    known,
    isAcknowledged: row.isAcknowledged || known !== 'unknown',
    doubts: row.doubts,
    doubtedSince: row.doubts > 0 ? now - row.doubtedForMs : undefined,
  }
}

function toChange(
  row: Row,
  before: Knowledge,
  after: Knowledge,
  conclusion: Conclusion | undefined,
): Change | undefined {
  if (conclusion === undefined) {
    const { known } = after
    return known === before.known || known === 'unknown' ? undefined : { state: known }
  }
  // The description is dropped: it may hold the client's data, and the body to mask the data with is gone.
  const change = concludedChange(conclusion)
  return row.isInferred && change.isInferred ? undefined : change
}

/** Milliseconds until the same answer again leads to a conclusion. */
function untilConclusionMs(knowledge: Knowledge, { absentMs, doubtMs }: JudgeSettings): number {
  const now = performance.now()
  const { doubtedSince, absentSince, lastSendAt } = knowledge
  if (doubtedSince !== undefined) return Math.max(0, doubtedSince + doubtMs - now)
  if (absentSince !== undefined) return Math.max(0, lastSendAt + absentMs - now)
  return Infinity
}

/** A process that stops must not wait for FreedomPay's answer. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
