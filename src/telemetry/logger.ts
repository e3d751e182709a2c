/** One JSON line each. Fields are allow-listed where they are logged; the redaction below is only the second net. */
import type { FastifyBaseLogger } from 'fastify'
import { type Bindings, type DestinationStream, type Logger, pino, symbols } from 'pino'
import { toTimestamp } from './timestamps.ts'

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

/** A line is written within this, or with others as soon as they are this many bytes: a system call for each costs more than it. */
const flushEveryMs = 100
const bufferedBytes = 12 * 1024

/** Standard output, written in the background. What is still held is written when the process exits by itself. */
function openStdout(): DestinationStream {
  return pino.destination({ dest: 1, sync: false, minLength: bufferedBytes, periodicFlush: flushEveryMs })
}

export function createLogger(level: LogLevel, destination: DestinationStream = openStdout()): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${toTimestamp(Date.now())}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: { paths: neverLogged, censor: '[redacted]' },
    },
    destination,
  )
}

/**
 * Resolves once nothing is being written in the background: what is at exit may come behind the lines that are written then, or
 * never.
 */
export function settleWrites(log: Logger): Promise<void> {
  return new Promise((resolve) => log.flush(() => resolve()))
}

/** What the last line of a request tells. None of it is the caller's text, but for what has been checked. */
export interface RequestSummary {
  readonly method: string
  readonly route: string
  readonly statusCode: number
  readonly durationMs: number
  readonly traceId: string | undefined
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
  /** The create that the request is about, once that is known. */
  requestId: string | undefined
  outcome: string | undefined

  constructor(log: Logger, reqId: string) {
    this.log = log
    this.reqId = reqId
  }

  /**
   * The only line of most requests, so it takes the shortest way. It is neither serialised nor redacted, which is why each of its
   * fields is named here.
   */
  summarise({ method, route, statusCode, durationMs, traceId }: RequestSummary, msg: string): void {
    if (!this.log.isLevelEnabled('info')) return
    const { reqId, caller, requestId, outcome } = this
    const time = toTimestamp(Date.now())
    const line = {
      level: 'info',
      time,
      reqId,
      caller,
      requestId,
      outcome,
      method,
      route,
      statusCode,
      durationMs,
      traceId,
      msg,
    }
    const destination = (this.log as unknown as Record<symbol, DestinationStream>)[symbols.streamSym]
    destination?.write(`${JSON.stringify(line)}\n`)
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
    const { reqId, caller, requestId, outcome } = this
    return { reqId, caller, requestId, outcome }
  }

  private write(level: Exclude<LogLevel, 'silent'>, told: Told, message?: string): void {
    if (typeof told === 'string') this.log[level](this.own, told)
    // Without any message pino takes the error's, which may quote anything.
    else if (told instanceof Error) this.log[level]({ ...this.own, err: told }, '')
    else this.log[level]({ ...this.own, ...told }, message ?? '')
  }
}

/** For Fastify, whose type of a logger wants more of pino than Fastify uses. */
export function createRequestLogs(log: Logger): (parent: unknown, bindings: Bindings) => FastifyBaseLogger {
  return (_parent, { reqId }) => new RequestLog(log, reqId as string) as unknown as FastifyBaseLogger
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
