/** The reconciler's question about a create that no request works on any more. The reconciler never sends a create. */
import type { Change, Row } from '../../ledger/ledger.ts'
import type { Lesson, ReconcilerLog } from '../../ledger/reconciler.ts'
import type { CardApi } from '../../partner/card-api.ts'
import { createDriftBook, type DriftBook } from '../../partner/drifts.ts'
import type { Outcome } from '../../partner/outcome.ts'
import { parseRetryAfter } from '../../partner/retry.ts'
import { concludedChange } from './conclude.ts'
import { type Conclusion, type JudgeSettings, type Knowledge, type Known, knowNothing } from './judge.ts'
import { askOnce } from './poll-status.ts'

export interface FindOutSettings extends JudgeSettings {
  /** The longest one question may take. */
  readonly askMs: number
}

/** Asks FreedomPay about a row. Rejects when `signal` is aborted. */
export type FindOut = (row: Row, log: Pick<ReconcilerLog, 'warn'>, signal: AbortSignal) => Promise<Lesson>

export function buildFindOut(
  cardApi: CardApi,
  settings: FindOutSettings,
  driftBook: DriftBook = createDriftBook(),
): FindOut {
  return async (row, log, signal) => {
    // An abort before the listener exists fires no event, so the abort is checked here.
    signal.throwIfAborted()
    const before = toKnowledge(row, performance.now())
    const drifts = driftBook.open(row.requestId)
    try {
      let heard = await ask(before)
      // The question may have overtaken the create, so "no such request" must be heard twice before a conclusion.
      if (heard.outcome.kind === 'no-such-request' && untilConclusionMs(heard.knowledge, settings) === 0) {
        heard = await ask(heard.knowledge)
      }
      return toLesson(row, before, heard, settings)
    } finally {
      driftBook.close(row.requestId, drifts, log)
    }

    function ask(known: Knowledge): Promise<Heard> {
      const context = { deadlineAt: performance.now() + settings.askMs, log, drifts }
      return unlessAborted(signal, askOnce(cardApi, row.requestId, known, settings, context))
    }
  }
}

type Heard = Awaited<ReturnType<typeof askOnce>>

/** The outcomes of a question that say something about the create, and not only about the question. */
const kindsOfAnswers: ReadonlySet<Outcome['kind']> = new Set(['created', 'processing', 'rejected', 'no-such-request'])

function toLesson(
  row: Row,
  before: Knowledge,
  { outcome, knowledge, conclusion }: Heard,
  settings: FindOutSettings,
): Lesson {
  return {
    change: toChange(row, before, knowledge, conclusion),
    doubts: knowledge.doubts,
    isAcknowledged: knowledge.isAcknowledged,
    isAnswered: kindsOfAnswers.has(outcome.kind),
    throttledMs: outcome.kind === 'throttled' ? (parseRetryAfter(outcome.retryAfter) ?? 0) : 0,
    concludesInMs: conclusion === undefined ? untilConclusionMs(knowledge, settings) : Infinity,
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
