/** `stats`: the figures of the service's own gauges, and the count of what people have decided, which no gauge knows. */
import { type Command, readArguments } from './command.ts'
import { exitCodes } from './exit.ts'
import { formatDuration } from './texts.ts'

export const showStats: Command = {
  usage: 'stats [--json]',
  summary: 'how much is not final, and how late the questions are',
  prepare(args) {
    const { values } = readArguments(args, { json: { type: 'boolean' } } as const, 0)
    return async ({ openLedger, terminal }) => {
      const ledger = await openLedger()
      const [stats, resolved] = await Promise.all([ledger.stats(), ledger.countResolved()])
      if (values.json) {
        terminal.print(JSON.stringify({ ...stats, resolved }))
        return exitCodes.ok
      }
      const { unresolved, needsAttention, oldestUnresolvedSeconds, oldestDueSeconds } = stats
      terminal.print(`not final, and no request works on them   ${unresolved}`)
      terminal.print(`of them, for 24 h or longer               ${needsAttention}`)
      terminal.print(`the oldest of them                        ${formatDuration(oldestUnresolvedSeconds * 1000)}`)
      terminal.print(`the questions are late by                 ${formatDuration(oldestDueSeconds * 1000)}`)
      terminal.print(`rows that a person has decided            ${resolved}`)
      return exitCodes.ok
    }
  },
}
