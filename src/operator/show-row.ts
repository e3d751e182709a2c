/** `show`: one row with its times, its questions so far, and its next question. */
import type { InspectedRow } from '../ledger/inspection.ts'
import { type Command, noSuchRow, readArguments, toRequestId } from './command.ts'
import { exitCodes } from './exit.ts'
import { formatDuration, formatNextQuestion, formatTime, isInHand, needsAttention, toJson } from './texts.ts'

export const showRow: Command = {
  usage: 'show <requestId> [--json]',
  summary: 'one row, its times, and what is asked next',
  prepare(args) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } } as const, 1)
    const requestId = toRequestId(positionals[0])
    return async ({ openLedger, terminal }) => {
      const ledger = await openLedger()
      const row = await ledger.inspect(requestId)
      if (row === undefined) throw noSuchRow(requestId)
      if (values.json) terminal.print(JSON.stringify(toJson(row)))
      else for (const line of renderRow(row, Date.now())) terminal.print(line)
      return exitCodes.ok
    }
  },
}

function renderRow(row: InspectedRow, now: number): string[] {
  const facts: (readonly [name: string, text: string | undefined])[] = [
    ['request id', row.requestId],
    ['caller', row.caller],
    ['state', describeState(row)],
    ['client id', row.clientId],
    ['reason', [row.partnerCode, row.partnerDescription].filter(Boolean).join(': ') || undefined],
    ['last send', describeLastSend(row, now)],
    ['changed', formatTime(row.updatedAtMs)],
    ['claims', `${row.claims}${row.mayHaveArrived ? ', and a send under an earlier one may have arrived' : ''}`],
    ['acknowledged', row.isAcknowledged ? 'FreedomPay has said that it has the request' : 'no'],
    ['questions', describeQuestions(row)],
    ['next question', formatNextQuestion(row)],
    ['attention', needsAttention(row) ? 'not final after 24 h: a person has to find out' : undefined],
    ['resolved', describeResolution(row)],
    ['because', row.resolution?.why],
  ]
  return facts.filter(([, text]) => text !== undefined).map(([name, text]) => `${name.padEnd(14)} ${text}`)
}

function describeState({ state, isInferred, resolution, updatedAtMs }: InspectedRow): string {
  if (!isInferred) return state
  const isDecided = resolution?.atMs === updatedAtMs
  return `${state}, ${isDecided ? 'as a person has decided' : 'as concluded from FreedomPay’s answers'}`
}

function describeLastSend(row: InspectedRow, now: number): string {
  if (isInHand(row)) return `a request works on it for ${formatDuration(-row.sinceLastSendMs)} more at the most`
  return `before ${formatTime(now - row.sinceLastSendMs)}, ${formatDuration(row.sinceLastSendMs)} ago`
}

function describeQuestions({ asks, doubts, doubtedForMs }: InspectedRow): string {
  const doubted = `; ${doubts} doubtful errors in a row, for ${formatDuration(doubtedForMs)}`
  return `${asks} since the last change${doubts > 0 ? doubted : ''}`
}

function describeResolution({ resolution, updatedAtMs }: InspectedRow): string | undefined {
  if (resolution === undefined) return undefined
  const { by, atMs } = resolution
  return `by ${by} at ${formatTime(atMs)}${atMs === updatedAtMs ? '' : '; the row has changed since'}`
}
