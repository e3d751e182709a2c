/** `resolve`: a person's decision about a row, kept in the row as who, when and why. */
import { type Decision, type InspectedRow, isResolvable, type ResolveResult, resolvable } from '../ledger/inspection.ts'
import type { ReconcilerLog } from '../ledger/reconciler.ts'
import type { State } from '../ledger/states.ts'
import { isClientId } from '../partner/outcome.ts'
import { type Command, noSuchRow, readArguments, type Terminal, toRequestId } from './command.ts'
import { exitCodes, OperatorError, usageError } from './exit.ts'
import type { OperatorLedger } from './open-ledger.ts'
import { checkText } from './personal-data.ts'
import { isInHand } from './texts.ts'

const options = {
  as: { type: 'string' },
  'client-id': { type: 'string' },
  by: { type: 'string' },
  why: { type: 'string' },
  yes: { type: 'boolean' },
} as const

type Log = Pick<ReconcilerLog, 'warn'>

export function buildResolveRow(log: Log): Command {
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
        const resolved = await resolve({ ledger, log }, before, decision)
        if (resolved === undefined) throw noSuchRow(requestId)
        const { was, row } = resolved
        if (was === undefined) throw notResolvable(row, decision)
        logDecision(log, row, was, decision)
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

function logDecision(log: Log, { requestId }: InspectedRow, from: State, { state, by }: Decision): void {
  log.warn({ requestId, from, state, by }, 'a person has resolved an outcome')
}

interface ResolveParts {
  readonly ledger: OperatorLedger
  readonly log: Log
}

/** The ledger may fail after the write, for example while PostgreSQL waits for a standby. So the row is read again. */
async function resolve(
  { ledger, log }: ResolveParts,
  before: InspectedRow,
  decision: Decision,
): Promise<ResolveResult | undefined> {
  const { requestId } = before
  try {
    return await ledger.resolve(requestId, decision)
  } catch (cause) {
    const look = `Look again: show ${requestId}`
    const after = await ledger.inspect(requestId).catch(() => 'unreadable' as const)
    if (after === undefined) throw noSuchRow(requestId)
    if (after !== 'unreadable' && holds(after, before, decision)) {
      logDecision(log, before, before.state, decision)
      throw unconfirmed(
        `The row holds the decision, but the ledger did not confirm it, and may still lose it. ${look}`,
        cause,
      )
    }
    const { state, by } = decision
    log.warn({ requestId, from: before.state, state, by }, 'a person’s decision may come late')
    throw unconfirmed(
      after === 'unreadable'
        ? `It is not known whether the row holds the decision: the ledger cannot be read. ${look}`
        : `The row does not hold the decision, but a late write may still come. ${look}`,
      cause,
    )
  }
}

/** Each decision gives the row another token, so an earlier decision with the same words does not count. */
function holds(after: InspectedRow, before: InspectedRow, { state, clientId, by, why }: Decision): boolean {
  const isOfDecision = after.state === state && after.clientId === clientId
  const { resolution } = after
  return isOfDecision && resolution?.by === by && resolution.why === why && after.claimToken !== before.claimToken
}

function unconfirmed(message: string, cause: unknown): OperatorError {
  return new OperatorError(exitCodes.unavailable, message, { cause })
}

function notResolvable(row: InspectedRow, { state }: Decision): OperatorError {
  const why = isInHand(row)
    ? 'a request works on it at this moment; wait for its end'
    : `it is ${row.state} by FreedomPay’s own word, and ${state} would be a step back`
  return new OperatorError(exitCodes.difference, `Nothing was changed: ${why}.`)
}
