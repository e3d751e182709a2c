/** Settings → service → drain. Only this file reads the environment. */
import closeWithGrace from 'close-with-grace'
import { type Config, ConfigError, loadConfig } from './config/load.ts'
import { ForeignLedgerError } from './ledger/ledger.ts'
import { startService } from './service.ts'
import { openTerminal, settleWrites } from './telemetry/log-destination.ts'
import { createLogger } from './telemetry/logger.ts'

/** sysexits.h: EX_CONFIG */
const faultyConfigurationCode = 78

/** Time to close everything after the deadline of the last create. */
const closingMarginMs = 5000

function loadConfigOrExit(): Config {
  try {
    return loadConfig(process.env)
  } catch (error) {
    exitIfOfSettings(error)
    throw error
  }
}

function exitIfOfSettings(error: unknown): void {
  if (!(error instanceof ConfigError || error instanceof ForeignLedgerError)) return
  process.stderr.write(`${error.message}\n`)
  process.exit(faultyConfigurationCode)
}

const config = loadConfigOrExit()
// JSON lines are for programs; a person who has typed `npm start` gets readable lines.
const terminal = process.env.npm_lifecycle_event === 'start' ? await openTerminal() : undefined
const log = createLogger(config.logLevel, terminal)
const starting = startService(config, log, process.env.COMMIT || 'unknown')

/** `fault` is a text if the time is over or a second signal came, and an error if stopping failed. */
function logFault(fault: unknown): void {
  if (typeof fault === 'string') log.error(fault)
  else log.error({ err: fault }, 'cannot stop')
}

let isStopping = false
/** Undefined: `close-with-grace` decides. */
let exitCode: number | undefined

// Before the start has ended, as process 1 of a container ignores the signals that it does not handle.
const { close } = closeWithGrace(
  {
    delay: config.shutdownDelayMs + config.requestDeadlineMs + closingMarginMs,
    logger: { error: logFault },
    // A handler of these signals would run the faulty instruction again, for ever: the process must die.
    skip: ['SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV'],
  },
  async ({ signal, err }) => {
    isStopping = true
    if (err === undefined) log.info({ signal }, 'stopping')
    else log.fatal({ err }, 'an error was not caught; stopping')
    const service = await starting
    await service.stop()
    log.info('stopped')
    await settleWrites(log)
    if (exitCode !== undefined) process.exit(exitCode)
  },
)

/** The ledger could not be reached at the start, and turns out to be another account's. */
function stopAtForeign({ message }: ForeignLedgerError): void {
  if (isStopping) return
  log.fatal(message)
  exitCode = faultyConfigurationCode
  void close()
}

try {
  const { foreign } = await starting
  void foreign.then(stopAtForeign)
} catch (error) {
  exitIfOfSettings(error)
  log.fatal({ err: error }, 'cannot start')
  await settleWrites(log)
  process.exit(1)
}
