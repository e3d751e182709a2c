/**
 * `npm run ledger -- <command>`: a program for operators. It reads and settles rows of the ledger while the service runs. It uses the
 * ledger, FreedomPay's API and the judge of answers, so it stands above all three. Only this file reads the environment.
 */
import { createInterface } from 'node:readline/promises'
import { pino } from 'pino'
import { ConfigError, loadConfig } from '../config/load.ts'
import { createLogger } from '../telemetry/logger.ts'
import { buildAskFreedomPay } from './ask-freedompay.ts'
import type { Command, Terminal } from './command.ts'
import { compareExport } from './compare-export.ts'
import { type ExitCode, exitCodes, OperatorError } from './exit.ts'
import { listRows } from './list-rows.ts'
import { type OperatorLedger, openOperatorLedger } from './open-ledger.ts'
import { buildResolveRow } from './resolve-row.ts'
import { showRow } from './show-row.ts'
import { showStats } from './show-stats.ts'
import { escapeControls } from './texts.ts'

// Standard error is written synchronously, as the process may end right after a line.
const log = createLogger('info', pino.destination({ dest: 2, sync: true }))

const commands: Readonly<Record<string, Command>> = {
  list: listRows,
  show: showRow,
  ask: buildAskFreedomPay(log),
  resolve: buildResolveRow(log),
  stats: showStats,
  compare: compareExport,
}

const usage = `Usage: npm run --silent ledger -- <command>, with the settings of the service

${Object.values(commands)
  .map((command) => `  ${command.usage}\n          ${command.summary}`)
  .join('\n')}

Exit codes: 0 success; 1 a difference, no such row, or a decision that was not
taken; 64 wrong usage; 69 the ledger or FreedomPay is not available; 70 a fault
of this program; 78 faulty settings.
`

const terminal: Terminal = {
  print: (line) => void process.stdout.write(`${escapeControls(line)}\n`),
  tell: (line) => void process.stderr.write(`${escapeControls(line)}\n`),
  async ask(prompt) {
    const reader = createInterface({ input: process.stdin, output: process.stderr })
    const { promise: ended, resolve } = Promise.withResolvers<undefined>()
    reader.once('close', () => resolve(undefined))
    try {
      return await Promise.race([reader.question(prompt), ended])
    } finally {
      reader.close()
    }
  },
}

async function run([name = '', ...args]: readonly string[]): Promise<ExitCode> {
  if (name === 'help' || name === '--help') {
    process.stdout.write(usage)
    return exitCodes.ok
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) throw new OperatorError(exitCodes.usage, usage.trimEnd())
  const work = command.prepare(args)
  const config = loadConfig(process.env)
  let ledger: OperatorLedger | undefined
  try {
    return await work({ config, terminal, openLedger: async () => (ledger = await openOperatorLedger(config)) })
  } finally {
    await ledger?.close()
  }
}

/** A reader that closes the pipe early, such as `head`, is not an error: the command goes on, and its exit code counts. */
function endUnlessReaderLeft(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') endUnforeseen(error)
}

/** Node's own exit code is 1, which means a difference. The log line has no message of the error, as a message may quote data. */
function endUnforeseen(err: unknown): never {
  log.fatal({ err }, 'the command ended by something unforeseen')
  process.exit(exitCodes.unforeseen)
}

process.stdout.on('error', endUnlessReaderLeft)
process.stderr.on('error', endUnlessReaderLeft)
process.on('uncaughtException', endUnforeseen)

try {
  process.exitCode = await run(process.argv.slice(2))
} catch (error) {
  if (error instanceof OperatorError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = error.exitCode
  } else if (error instanceof ConfigError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = exitCodes.settings
  } else {
    endUnforeseen(error)
  }
}
