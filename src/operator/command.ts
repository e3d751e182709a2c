/** The interface of a command, and the reading of its arguments. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import type { Config } from '../config/load.ts'
import { type ExitCode, exitCodes, OperatorError, usageError } from './exit.ts'
import type { OperatorLedger } from './open-ledger.ts'

export interface Terminal {
  /** One line of the result. */
  print(line: string): void
  /** One line that is not part of the result. */
  tell(line: string): void
  /** The operator's next line; undefined at the end of the input. */
  ask(prompt: string): Promise<string | undefined>
}

export interface CommandContext {
  readonly config: Config
  readonly terminal: Terminal
  readonly openLedger: () => Promise<OperatorLedger>
}

export interface Command {
  readonly usage: string
  readonly summary: string
  /** Reads its arguments, and throws where they are faulty, before anything is opened. */
  prepare(args: readonly string[]): (context: CommandContext) => Promise<ExitCode>
}

const requestIdForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @throws OperatorError where there are other options, or another number of values than `count` */
export function readArguments<Options extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: Options,
  count: number,
) {
  const parsed = parse(args, options)
  if (parsed.positionals.length !== count) {
    throw usageError(count === 0 ? 'this command takes options alone' : `this command takes ${count} value`)
  }
  return parsed
}

function parse<Options extends ParseArgsOptionsConfig>(args: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    // The messages of these errors quote an option's name and nothing else.
    if (code?.startsWith('ERR_PARSE_ARGS')) throw usageError((cause as Error).message)
    throw cause
  }
}

export function toRequestId(text = ''): string {
  const requestId = text.trim().toLowerCase()
  if (!requestIdForm.test(requestId)) throw usageError('a request id is a UUID, such as `list` shows them')
  return requestId
}

const unitsMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90s` · `15m` · `2h` · `3d` */
export function toDurationMs(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const unitMs = unitsMs[unit]
  if (unitMs === undefined) throw usageError('a duration is a number and a unit: 90s, 15m, 2h, 3d')
  return Number(count) * unitMs
}

export function noSuchRow(requestId: string): OperatorError {
  return new OperatorError(exitCodes.difference, `The ledger has no row of ${requestId}.`)
}
