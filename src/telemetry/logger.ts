/** One JSON line each. Fields are allow-listed where they are logged; the redaction below is only the second net. */
import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import { type Bindings, type DestinationStream, type Logger, pino } from 'pino'
import packageJson from '../../package.json' with { type: 'json' }
import { openStdout, rememberDestination } from './log-destination.ts'
import { parseTraceId } from './trace-id.ts'

const { name: service, version } = packageJson

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** What must never be in a log, wherever somebody might put it by mistake. */
const neverLogged = [
  'body',
  'headers',
  'req',
  'res',
  'phone',
  'firstName',
  'lastName',
  'middleName',
  'birthDate',
  'email',
  'personId',
  'document',
  'authorization',
  'secretKey',
]

export function createLogger(level: LogLevel, destination: DestinationStream = openStdout()): Logger {
  const log = pino(
    {
      level,
      base: { service, version },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: { paths: neverLogged, censor: '[redacted]' },
    },
    destination,
  )
  rememberDestination(log, destination)
  return log
}

/** What the last line of a request tells. None of it is the caller's text, but for what has been checked. */
export interface RequestSummary {
  readonly method: string
  readonly route: string
  readonly statusCode: number
  readonly durationMs: number
}

type Fields = Readonly<Record<string, unknown>>

/**
 * The lines of one HTTP request, with what they have in common: a request has one line as a rule, so a pino child, which writes
 * that into a text beforehand, costs more than it spares.
 */
export class RequestLog implements FastifyBaseLogger {
  private readonly log: Logger
  private readonly reqId: string
  /** Once it is known. */
  caller: string | undefined
  /** The caller's, or the one under which this request is traced. */
  traceparent: unknown
  /** The create that the request is about, once that is known. */
  requestId: string | undefined
  outcome: string | undefined
  /** Of the problem that the request was answered with. */
  code: string | undefined

  constructor(log: Logger, reqId: string, traceparent?: unknown) {
    this.log = log
    this.reqId = reqId
    this.traceparent = traceparent
  }

  /** The only line of most requests. */
  summarise(summary: RequestSummary, msg: string): void {
    this.log.info({ ...this.own, code: this.code, ...summary }, msg)
  }

  fatal(told: unknown, message?: string): void {
    this.write('fatal', told, message)
  }

  error(told: unknown, message?: string): void {
    this.write('error', told, message)
  }

  warn(told: unknown, message?: string): void {
    this.write('warn', told, message)
  }

  info(told: unknown, message?: string): void {
    this.write('info', told, message)
  }

  debug(told: unknown, message?: string): void {
    this.write('debug', told, message)
  }

  trace(told: unknown, message?: string): void {
    this.write('trace', told, message)
  }

  silent(): void {}

  get level(): string {
    return this.log.level
  }

  child(fields: Fields): Logger {
    return this.log.child({ ...this.own, ...fields })
  }

  private get own(): Fields {
    const { reqId, traceId, caller, requestId, outcome } = this
    return { reqId, traceId, caller, requestId, outcome }
  }

  private get traceId(): string | undefined {
    return this.traceparent === undefined ? undefined : parseTraceId(this.traceparent)
  }

  private write(level: Exclude<LogLevel, 'silent'>, told: unknown, message?: string): void {
    if (typeof told === 'string') this.log[level](this.own, told)
    // Without any message pino takes the error's, which may quote anything.
    else if (told instanceof Error) this.log[level]({ ...this.own, err: told }, '')
    else this.log[level](Object.assign({ ...this.own }, told), message ?? '')
  }
}

declare module 'fastify' {
  /** What a request's lines have in common, see RequestLog; the lines of other loggers have none of it. */
  interface FastifyBaseLogger {
    caller?: string | undefined
    traceparent?: unknown
    requestId?: string | undefined
    outcome?: string | undefined
    code?: string | undefined
    summarise?(summary: RequestSummary, msg: string): void
  }
}

export function createRequestLogs(
  log: Logger,
): (parent: unknown, bindings: Bindings, options: unknown, rawRequest?: IncomingMessage) => FastifyBaseLogger {
  return (_parent, { reqId }, _options, rawRequest) =>
    new RequestLog(log, String(reqId), rawRequest?.headers.traceparent)
}

/** More than any error of this service has below it; causes may go round in a circle. */
const maxCauses = 5

const ownFields = ['code', 'syscall', 'address', 'port', 'statusCode'] as const

/**
 * An error without its message, as messages quote what they complain about: a JSON parser's holds a piece of the body. The
 * type, the code and where it happened tell enough.
 */
export function describeError(error: unknown): Record<string, unknown> {
  return describe(error, maxCauses)
}

function describe(error: unknown, causesLeft: number): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error }
  const fields: Record<string, unknown> = { type: error.name }
  for (const name of ownFields) {
    const value: unknown = Reflect.get(error, name)
    if (typeof value === 'string' || typeof value === 'number') fields[name] = value
  }
  const frames = findFrames(error)
  if (frames.length > 0) fields.stack = frames.map((line) => line.trim()).join(' | ')
  if (error.cause !== undefined && causesLeft > 0) fields.cause = describe(error.cause, causesLeft - 1)
  return fields
}

/** A stack begins with the message, which may have lines of its own that look like frames. */
function findFrames({ message, stack = '' }: Error): string[] {
  const start = stack.indexOf(message)
  if (start < 0) return []
  return stack
    .slice(start + message.length)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
}
