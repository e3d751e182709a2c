/** The log lines of one HTTP request. */
import type { IncomingMessage } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import type { Bindings, Logger } from 'pino'
import type { LogLevel } from './logger.ts'
import { parseTraceId } from './trace-id.ts'

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
  summarise({ method, route, statusCode, durationMs }: RequestSummary, msg: string): void {
    this.log.info({ ...this.own, code: this.code, method, route, statusCode, durationMs }, msg)
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
