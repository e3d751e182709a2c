/** The service's ledger, opened by a second process beside it. */
import { existsSync } from 'node:fs'
import { pino } from 'pino'
import type { Config } from '../config/load.ts'
import { nameAccount } from '../ledger/account.ts'
import type { InspectableLedger } from '../ledger/inspection.ts'
import { ForeignLedgerError, type Ledger, OldLedgerError, UnusedLedgerError } from '../ledger/ledger.ts'
import { openLedger } from '../ledger/open.ts'
import { sandboxCredentials } from '../sandbox/credentials.ts'
import { exitCodes, OperatorError } from './exit.ts'

/** The part of a ledger that operators need. They never claim a row and never take due rows. */
export type OperatorLedger = Pick<Ledger, keyof InspectableLedger | 'record' | 'postpone' | 'stats' | 'close'>

/** The built-in sandbox listens here. */
const ownSandbox = 'http://127.0.0.1'

/**
 * Opens the ledger without a write: the ledger and its schema are the service's.
 * @throws OperatorError where the ledger is in another process's memory, unused, of an earlier version, another account's, or
 * cannot be reached
 */
export async function openOperatorLedger(config: Config): Promise<OperatorLedger> {
  const settings = config.readLedger()
  if (settings.url === 'memory:') {
    throw new OperatorError(
      exitCodes.settings,
      'LEDGER_URL is memory:, and no process can look into the memory of another. Set LEDGER_URL as the service has it.',
    )
  }
  if (settings.url.startsWith('sqlite:') && !existsSync(settings.url.slice('sqlite:'.length))) {
    throw new OperatorError(
      exitCodes.settings,
      'LEDGER_URL names a file that does not exist: no service has used it yet.',
    )
  }
  // The service logs the condition of its ledger, so this program does not.
  const ledger = await openLedger({ ...settings, isGuest: true }, pino({ level: 'silent' })).catch(throwRefused)
  try {
    const { authId } = config.readCredentials?.() ?? sandboxCredentials
    await ledger.checkOwner(config.ledgerAccount ?? nameAccount(config.partnerOrigin ?? ownSandbox, authId))
    return tellFailures(ledger)
  } catch (error) {
    await ledger.close()
    return throwRefused(error)
  }
}

function throwRefused(error: unknown): never {
  const isOfSettings =
    error instanceof ForeignLedgerError || error instanceof UnusedLedgerError || error instanceof OldLedgerError
  if (isOfSettings) throw new OperatorError(exitCodes.settings, error.message)
  return throwUnavailable(error)
}

/** Tells the operator that a command failed because of the ledger. */
function tellFailures(ledger: Ledger): OperatorLedger {
  return {
    list: (filter) => tellFailuresOf(ledger.list(filter)),
    inspect: (requestId) => ledger.inspect(requestId).catch(throwUnavailable),
    resolve: (requestId, decision) => ledger.resolve(requestId, decision).catch(throwUnavailable),
    countResolved: () => ledger.countResolved().catch(throwUnavailable),
    record: (requestId, claimToken, change) => ledger.record(requestId, claimToken, change).catch(throwUnavailable),
    postpone: (postponement) => ledger.postpone(postponement).catch(throwUnavailable),
    stats: () => ledger.stats().catch(throwUnavailable),
    close: () => ledger.close(),
  }
}

async function* tellFailuresOf<T>(rows: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* rows
  } catch (error) {
    throwUnavailable(error)
  }
}

function throwUnavailable(cause: unknown): never {
  throw new OperatorError(exitCodes.unavailable, 'The ledger cannot be reached, read or written (LEDGER_URL).', {
    cause,
  })
}
