/**
 * What ties a request to its calls and ledger steps: W3C Trace Context (https://www.w3.org/TR/trace-context/) from the caller, on to
 * FreedomPay where a setting says so, and spans where a collector is named. Where neither is asked for there is no tracing at all.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { ObserveLedger } from '../ledger/observe.ts'
import type { StartCallTrace } from '../partner/card-api.ts'
import { parseTraceId } from './trace-id.ts'

export interface TracingSettings {
  /** An OTLP endpoint as OpenTelemetry's settings have it, without `/v1/traces`; undefined: no spans. */
  readonly collector: string | undefined
  /** Of the requests whose caller has not decided it, how many are traced: 0 to 1. */
  readonly sampledShare: number
  /** Whether FreedomPay gets `traceparent` and `tracestate`. */
  readonly reachesPartner: boolean
}

export interface TracedRequest {
  readonly method: string
  /** Its pattern: an address may hold ids. */
  readonly route: string
  readonly statusCode: number
  readonly outcome: string | undefined
  /** Of the problem that it was answered with. */
  readonly problem: string | undefined
}

export interface RequestTrace {
  /** For the log. */
  readonly traceparent: string | undefined
  /** What begins in `next`, or later because of it, belongs to this request. */
  run(next: () => void): void
  end(summary: TracedRequest): void
}

export interface Tracing {
  startRequest(headers: IncomingHttpHeaders): RequestTrace
  readonly startCall: StartCallTrace
  /** At its end, where it was asked for. */
  readonly observeLedger: ObserveLedger
  /** Sends what has not been sent, and gives up soon. */
  stop(): Promise<void>
}

/** As long as other services must be able to carry it. */
const wellFormedState = /^[\x20-\x7e]{1,512}$/

/** Empty where the caller's `traceparent` is malformed, as `tracestate` means nothing without it. */
export function readTraceContext({ traceparent, tracestate }: IncomingHttpHeaders): {
  traceparent?: string
  tracestate?: string
} {
  if (typeof traceparent !== 'string' || parseTraceId(traceparent) === undefined) return {}
  const isState = typeof tracestate === 'string' && wellFormedState.test(tracestate)
  return isState ? { traceparent, tracestate } : { traceparent }
}
