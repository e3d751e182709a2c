/** One JSON line each. Fields are allow-listed where they are logged; the redaction below is only the second net. */
import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import { type Bindings, type DestinationStream, type Logger, pino } from 'pino'
import packageJson from '../../package.json' with { type: 'json' }
import { destinationOf, openStdout } from './log-destination.ts'
import { toTimestamp } from './timestamps.ts'
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
  return pino(
    {
      level,
      base: { service, version },
      timestamp: () => `,"time":"${toTimestamp(Date.now())}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: { paths: neverLogged, censor: '[redacted]' },
    },
    destination,
  )
}

/** What the last line of a request tells. None of it is the caller's text, but for what has been checked. */
export interface RequestSummary {
  readonly method: string
  readonly route: string
  readonly statusCode: number
  readonly durationMs: number
}

type Fields = Readonly<Record<string, unknown>>
/** As pino and Fastify call a logger: fields and a message, a message alone, or an error alone. */
type Told = Fields | string | Error

/**
 * The lines of one HTTP request, with what they have in common: a request has one line as a rule, so a pino child, which writes
 * that into a text beforehand, costs more than it spares.
 */
export class RequestLog {
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

  /**
   * The only line of most requests, so it takes the shortest way. It is neither serialised nor redacted, which is why each of its
   * fields is named here.
   */
  summarise({ method, route, statusCode, durationMs }: RequestSummary, msg: string): void {
    if (!this.log.isLevelEnabled('info')) return
    const { reqId, traceId, caller, requestId, outcome, code } = this
    const time = toTimestamp(Date.now())
    const line = {
      level: 'info',
      time,
      service,
      version,
      reqId,
      caller,
      traceId,
      requestId,
      outcome,
      code,
      method,
      route,
      statusCode,
      durationMs,
      msg,
    }
    destinationOf(this.log).write(`${JSON.stringify(line)}\n`)
  }

  fatal(told: Told, message?: string): void {
    this.write('fatal', told, message)
  }

  error(told: Told, message?: string): void {
    this.write('error', told, message)
  }

  warn(told: Told, message?: string): void {
    this.write('warn', told, message)
  }

  info(told: Told, message?: string): void {
    this.write('info', told, message)
  }

  debug(told: Told, message?: string): void {
    this.write('debug', told, message)
  }

  trace(told: Told, message?: string): void {
    this.write('trace', told, message)
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

  private write(level: Exclude<LogLevel, 'silent'>, told: Told, message?: string): void {
    if (typeof told === 'string') this.log[level](this.own, told)
    // Without any message pino takes the error's, which may quote anything.
    else if (told instanceof Error) this.log[level]({ ...this.own, err: told }, '')
    else this.log[level]({ ...this.own, ...told }, message ?? '')
  }
}

/** For Fastify, whose type of a logger wants more of pino than Fastify uses. */
export function createRequestLogs(
  log: Logger,
): (parent: unknown, bindings: Bindings, options: unknown, rawRequest?: IncomingMessage) => FastifyBaseLogger {
  return (_parent, { reqId }, _options, rawRequest) =>
    new RequestLog(log, reqId as string, rawRequest?.headers.traceparent) as unknown as FastifyBaseLogger
}

export function requestLogOf({ log }: { readonly log: FastifyBaseLogger }): RequestLog {
  return log as unknown as RequestLog
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
    const value = (error as unknown as Record<string, unknown>)[name]
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
