/** JSON log lines. Each call logs only named fields; the redaction below is a second protection. */
import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import { type Bindings, type DestinationStream, type LogFn, type Logger, pino } from 'pino'
import packageJson from '../../package.json' with { type: 'json' }
import { openStdout, rememberDestination } from './log-destination.ts'
import { parseTraceId } from './trace-id.ts'

const { name: service, version } = packageJson

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Fields that must never be in a log, even if a call logs one of them by mistake. */
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
      hooks: {
        logMethod(args: Parameters<LogFn>, method) {
          const [told, message] = args as readonly unknown[]
          if (typeof told === 'string' || message !== undefined) method.apply(this, args)
          // Without a message pino logs the error's message, which may quote personal data.
          else method.call(this, told instanceof Error ? { err: told } : told, '')
        },
      },
    },
    destination,
  )
  rememberDestination(log, destination)
  return log
}

/** The fields of the last line of a request. A caller's text is logged only after a check. */
export interface RequestSummary {
  readonly method: string
  readonly route: string
  readonly statusCode: number
  readonly durationMs: number
}

type Fields = Readonly<Record<string, unknown>>

/**
 * The lines of one HTTP request, with their common fields. Most requests have one line, so a pino child, which serialises the
 * common fields in advance, would cost more than it saves.
 */
export class RequestLog implements FastifyBaseLogger {
  private readonly log: Logger
  private readonly reqId: string
  /** Undefined until the caller is known. */
  caller: string | undefined
  /** The `traceparent` of the caller, or of this request's own trace. */
  traceparent: unknown
  /** The create that the request is about; undefined until the create is known. */
  requestId: string | undefined
  outcome: string | undefined
  /** The code of the problem that the request was answered with. */
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
    else if (told instanceof Error) this.log[level]({ ...this.own, err: told }, message)
    else this.log[level](Object.assign({ ...this.own }, told), message)
  }
}

declare module 'fastify' {
  /** The common fields of a request's lines, see RequestLog; other loggers have none of them. */
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

/** More than any error of this service has. The limit is needed, as causes may form a circle. */
const maxCauses = 5

const ownFields = ['code', 'syscall', 'address', 'port', 'statusCode'] as const

/**
 * An error without its message, as a message may quote data: the message of a JSON parser holds a piece of the body. The type,
 * the code and the stack are enough to find the fault.
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

/** A stack begins with the message, and lines of the message may look like frames; so the message is cut off first. */
function findFrames({ message, stack = '' }: Error): string[] {
  const start = stack.indexOf(message)
  if (start < 0) return []
  return stack
    .slice(start + message.length)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
}
