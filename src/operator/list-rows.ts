/** `list`: the rows that are not final, or the rows in the given states; the oldest first. */
import type { InspectedRow } from '../ledger/inspection.ts'
import { isFinal, type State, states } from '../ledger/states.ts'
import { type Command, readArguments, toDurationMs } from './command.ts'
import { exitCodes, usageError } from './exit.ts'
import { formatDuration, formatNextQuestion, isInHand, needsAttention, toJson } from './texts.ts'

const notFinal = states.filter((state) => !isFinal(state))

export const listRows: Command = {
  usage: 'list [--state <state>]… [--older-than 15m] [--json]',
  summary: 'what is not final, the oldest first',
  prepare(args) {
    const options = {
      state: { type: 'string', multiple: true },
      'older-than': { type: 'string' },
      json: { type: 'boolean' },
    } as const
    const { values } = readArguments(args, options, 0)
    const olderThan = values['older-than']
    const filter = {
      states: values.state?.flatMap(toStates) ?? notFinal,
      olderThanMs: olderThan === undefined ? undefined : toDurationMs(olderThan),
    }
    return async ({ openLedger, terminal }) => {
      const ledger = await openLedger()
      const rows = await Array.fromAsync(ledger.list(filter))
      rows.sort((a, b) => b.sinceLastSendMs - a.sinceLastSendMs)
      if (values.json) terminal.print(JSON.stringify(rows.map(toJson)))
      else for (const line of renderRows(rows)) terminal.print(line)
      return exitCodes.ok
    }
  },
}

function toStates(text: string): State[] {
  return text.split(',').map((word) => {
    const state = states.find((name) => name === word.trim())
    if (state === undefined) throw usageError(`a state is one of ${states.join(', ')}`)
    return state
  })
}

const needs = 'not final after 24 h, a person has to find out'

/** At most 80 columns. */
function renderRows(rows: readonly InspectedRow[]): string[] {
  if (rows.length === 0) return ['No such rows.']
  const marked = rows.filter(needsAttention).length
  const lines = rows.map((row) =>
    renderLine(
      needsAttention(row) ? '!' : ' ',
      row.requestId,
      row.state,
      isInHand(row) ? 'in hand' : formatDuration(row.sinceLastSendMs),
      String(row.asks),
      formatNextQuestion(row),
    ),
  )
  return [
    renderLine(' ', 'REQUEST ID', 'STATE', 'AGE', 'ASKS', 'NEXT QUESTION'),
    ...lines,
    '',
    `${rows.length} ${rows.length === 1 ? 'row' : 'rows'}${marked > 0 ? `; ${marked} marked !: ${needs}` : ''}`,
  ]
}

function renderLine(mark: string, requestId: string, state: string, age: string, asks: string, next: string): string {
  return `${mark} ${requestId.padEnd(36)} ${state.padEnd(11)} ${age.padStart(7)} ${asks.padStart(5)}  ${next}`.trimEnd()
}
