/**
 * Tracing connects a request with its calls and ledger steps. The W3C Trace Context (https://www.w3.org/TR/trace-context/) comes from
 * the caller. One setting sends it on to FreedomPay; another names a collector for spans. Without both, tracing is off.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { ObserveLedger } from '../ledger/observe.ts'
import type { StartCallTrace } from '../partner/card-api.ts'
import { parseTraceId } from './trace-id.ts'

export interface TracingSettings {
  /** The OTLP endpoint, without `/v1/traces`; undefined: no spans. */
  readonly collector: string | undefined
  /** Share of the requests that are traced, 0 to 1, where the caller's `traceparent` does not decide. */
  readonly sampledShare: number
  /** Whether FreedomPay gets `traceparent` and `tracestate`. */
  readonly reachesPartner: boolean
}

export interface TracedRequest {
  readonly method: string
  /** The pattern of the route: an address may hold ids. */
  readonly route: string
  readonly statusCode: number
  readonly outcome: string | undefined
  /** The code of the problem that the request was answered with. */
  readonly problem: string | undefined
}

export interface RequestTrace {
  /** For the log. */
  readonly traceparent: string | undefined
  /** Calls and ledger steps that begin in `next`, or later as its consequence, belong to this request. */
  run(next: () => void): void
  end(summary: TracedRequest): void
}

export interface Tracing {
  startRequest(headers: IncomingHttpHeaders): RequestTrace
  readonly startCall: StartCallTrace
  /** Called at the end of each step of the ledger. */
  readonly observeLedger: ObserveLedger
  /** Sends the remaining spans, and gives up after a short time. */
  stop(): Promise<void>
}

/** 512 characters: the length that the standard requires every service to carry. */
const wellFormedState = /^[\x20-\x7e]{1,512}$/

/** Empty if the caller's `traceparent` is malformed: `tracestate` has no meaning without it. */
export function readTraceContext({ traceparent, tracestate }: IncomingHttpHeaders): {
  traceparent?: string
  tracestate?: string
} {
  if (typeof traceparent !== 'string' || parseTraceId(traceparent) === undefined) return {}
  const isState = typeof tracestate === 'string' && wellFormedState.test(tracestate)
  return isState ? { traceparent, tracestate } : { traceparent }
}
