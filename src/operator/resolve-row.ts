/** `resolve`: a person's decision about a row, kept in the row as who, when and why. */
import type { Logger } from 'pino'
import { type Decision, type InspectedRow, isResolvable, resolvable } from '../ledger/inspection.ts'
import { isClientId } from '../partner/outcome.ts'
import { type Command, noSuchRow, readArguments, type Terminal, toRequestId } from './command.ts'
import { exitCodes, OperatorError, usageError } from './exit.ts'
import { checkText } from './personal-data.ts'
import { isInHand } from './texts.ts'

const options = {
  as: { type: 'string' },
  'client-id': { type: 'string' },
  by: { type: 'string' },
  why: { type: 'string' },
  yes: { type: 'boolean' },
} as const

export function buildResolveRow(log: Pick<Logger, 'warn'>): Command {
  return {
    usage: `resolve <requestId> --as ${resolvable.join('|')} [--client-id <id>]
          --by <who> --why <text> [--yes]`,
    summary: 'decide what no machine can find out',
    prepare(args) {
      const { values, positionals } = readArguments(args, options, 1)
      const requestId = toRequestId(positionals[0])
      const decision = toDecision(values)
      return async ({ config, openLedger, terminal }) => {
        const ledger = await openLedger()
        const before = await ledger.inspect(requestId)
        if (before === undefined) throw noSuchRow(requestId)
        if (!isResolvable(before, decision)) throw notResolvable(before, decision)
        if (!values.yes) await confirm(terminal, before, decision, config.mayResend)
        const resolved = await ledger.resolve(requestId, decision)
        if (resolved === undefined) throw noSuchRow(requestId)
        const { was, row } = resolved
        if (was === undefined) throw notResolvable(row, decision)
        log.warn({ requestId, from: was, state: row.state, by: decision.by }, 'a person has resolved an outcome')
        terminal.print(`${requestId} was ${was} and is ${row.state}. Nothing asks about it any more.`)
        return exitCodes.ok
      }
    },
  }
}

function toDecision(values: Partial<Record<'as' | 'client-id' | 'by' | 'why', string>>): Decision {
  const { as, 'client-id': clientId } = values
  const state = resolvable.find((name) => name === as)
  if (state === undefined) throw usageError(`--as is required: ${resolvable.join(', ')}`)
  if ((state === 'created') !== (clientId !== undefined)) {
    throw usageError('--client-id belongs to --as created: FreedomPay’s id of the client')
  }
  if (clientId !== undefined && (!isClientId(clientId) || clientId !== clientId.trim())) {
    throw usageError('--client-id is no id: 1 to 128 characters, no control characters, no space around it')
  }
  return { state, clientId, by: checkText('by', values.by), why: checkText('why', values.why) }
}

async function confirm(
  terminal: Terminal,
  row: InspectedRow,
  { state, clientId }: Decision,
  mayResend: boolean,
): Promise<void> {
  const client = clientId === undefined ? '' : ` with the client ${clientId}`
  terminal.tell(`${row.requestId} is ${row.state} and would be ${state}${client}.`)
  if (state === 'not-created' && row.keyId !== undefined) {
    terminal.tell(
      mayResend
        ? 'Its caller may then send it again with the same idempotency key.'
        : 'Its caller cannot send it again: PARTNER_RESEND is false, and the same idempotency key gets 503.',
    )
  }
  const typed = await terminal.ask('Type the request id to confirm: ')
  if (typed?.trim().toLowerCase() === row.requestId) return
  throw new OperatorError(exitCodes.difference, 'That is not the request id. Nothing was changed.')
}

function notResolvable(row: InspectedRow, { state }: Decision): OperatorError {
  const why = isInHand(row)
    ? 'a request works on it at this moment; wait for its end'
    : `it is ${row.state} by FreedomPay’s own word, and ${state} would be a step back`
  return new OperatorError(exitCodes.difference, `Nothing was changed: ${why}.`)
}
