/** `ask`: asks FreedomPay now, judges the answer as the reconciler does, and records the result. */
import type { InspectedRow } from '../ledger/inspection.ts'
import type { Lesson, ReconcilerLog } from '../ledger/reconciler.ts'
import { isFinal, type State } from '../ledger/states.ts'
import type { Outcome } from '../partner/outcome.ts'
import { type Command, noSuchRow, readArguments, toRequestId } from './command.ts'
import { exitCodes } from './exit.ts'
import type { OperatorLedger } from './open-ledger.ts'

export function buildAskFreedomPay(log: ReconcilerLog): Command {
  return {
    usage: 'ask <requestId>',
    summary: 'ask FreedomPay now, and record the answer',
    prepare(args) {
      const { positionals } = readArguments(args, {}, 1)
      const requestId = toRequestId(positionals[0])
      return async ({ config, openLedger, terminal }) => {
        // Loaded here, as the other commands need no HTTP client and start faster without one.
        const { ask, openCardApi } = await import('./question.ts')
        const { cardApi, close } = openCardApi(config)
        try {
          const ledger = await openLedger()
          const row = await ledger.inspect(requestId)
          if (row === undefined) throw noSuchRow(requestId)
          const { lesson, answers } = await ask(cardApi, row, config)
          for (const answer of answers) terminal.print(`FreedomPay: ${describe(answer)}`)
          terminal.print(`the row: ${await learn({ ledger, log }, row, lesson)}`)
          // "Not unique" is an answer, although it does not tell the outcome.
          const isAnswered = lesson.isAnswered || answers.some(({ kind }) => kind === 'duplicate')
          return isAnswered ? exitCodes.ok : exitCodes.unavailable
        } finally {
          await close()
        }
      }
    },
  }
}

interface LearnParts {
  readonly ledger: OperatorLedger
  readonly log: ReconcilerLog
}

/** Records the answer and tells the state of the row after it. */
async function learn({ ledger, log }: LearnParts, row: InspectedRow, lesson: Lesson): Promise<string> {
  const { requestId, claimToken, asks, nextAskInMs, state } = row
  const { change, doubts, isAcknowledged } = lesson
  if (change !== undefined) {
    const recorded = await ledger.record(requestId, claimToken, change)
    if (recorded?.was === undefined) {
      return `stays ${recorded?.row.state ?? state}; that answer does not outweigh it`
    }
    logChange(log, row, recorded.was, change.state)
    return `was ${recorded.was} and is ${recorded.row.state}`
  }
  const isNews = doubts !== row.doubts || isAcknowledged !== row.isAcknowledged
  if (isNews && nextAskInMs !== undefined) {
    const pauseMs = Math.max(0, nextAskInMs)
    await ledger.postpone({ requestId, claimToken, pauseMs, takenAsks: asks, asks, doubts, isAcknowledged })
  }
  return `stays ${state}`
}

/** The service's reconciler logs a correction with the same level, words and members, so that one search finds both. */
function logChange(log: ReconcilerLog, { requestId, asks, isInferred }: InspectedRow, from: State, state: State) {
  if (state === from) return
  if (isInferred) log.warn({ requestId, from, state, asks }, 'an outcome was corrected')
  else if (isFinal(state)) log.info({ requestId, state, asks }, 'ask learned the outcome')
}

/** Without FreedomPay's description, which may hold the client's data. */
function describe(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'created':
      return `created${outcome.clientId === undefined ? ', without an id' : `, client ${outcome.clientId}`}`
    case 'processing':
      return 'still works on it'
    case 'rejected': {
      const code = outcome.partner.code === undefined ? '' : `, code ${outcome.partner.code}`
      const doubt = outcome.mayConcernQuestion
        ? ' (perhaps about the question only; believed once several answers agree)'
        : ''
      return `error${code}${doubt}`
    }
    case 'duplicate':
      return 'the request id is not unique: FreedomPay has the request, and does not tell its outcome'
    case 'no-such-request':
      return 'no such request'
    case 'misconfigured':
      return `refuses our credential (HTTP ${outcome.statusCode})`
    case 'throttled':
      return 'takes no more questions at the moment (HTTP 429)'
    case 'not-sent':
    case 'not-admitted':
      return `cannot be reached (${outcome.result})`
    case 'unknown':
      return `no answer that can be read (${outcome.drift ?? outcome.statusCode ?? outcome.result})`
  }
}
