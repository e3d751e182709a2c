/**
 * OpenTelemetry spans, sent by OTLP over HTTP: one for each request, each call to FreedomPay and each step of the ledger.
 * Each attribute is named here, so that none can hold personal data, an idempotency key or an address with an id.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { Logger } from 'pino'
import packageJson from '../../package.json' with { type: 'json' }
import type { Outcome } from '../partner/outcome.ts'
import { createProvider, stopProvider, warnOfFailures } from './span-export.ts'
import { readTraceContext, type TracedRequest, type Tracing, type TracingSettings } from './tracing.ts'

type Settings = TracingSettings & { readonly collector: string }

const outsideOfRequests = { context: ROOT_CONTEXT, tracestate: undefined }

export function openTelemetry({ collector, sampledShare, reachesPartner }: Settings, log: Logger): Tracing {
  const provider = createProvider(collector, sampledShare)
  const tracer = provider.getTracer(packageJson.name, packageJson.version)
  const propagator = new W3CTraceContextPropagator()
  /** The caller's `tracestate` goes on to FreedomPay unchanged. It is not put into a span, as the caller chooses its text. */
  const current = new AsyncLocalStorage<{ readonly context: Context; readonly tracestate: string | undefined }>()
  warnOfFailures(log)

  function write(context: Context): Record<string, string> {
    const headers: Record<string, string> = {}
    propagator.inject(context, headers, defaultTextMapSetter)
    return headers
  }

  return {
    startRequest(headers) {
      const { tracestate, ...carried } = readTraceContext(headers)
      const parent = propagator.extract(ROOT_CONTEXT, carried, defaultTextMapGetter)
      const span = tracer.startSpan('request', { kind: SpanKind.SERVER }, parent)
      const context = trace.setSpan(parent, span)
      return {
        traceparent: write(context).traceparent,
        run: (next) => current.run({ context, tracestate }, next),
        end: (summary) => endRequest(span, summary),
      }
    },
    startCall(operation) {
      // A question of the reconciler belongs to no request, so it begins a trace of its own.
      const { context: parent, tracestate } = current.getStore() ?? outsideOfRequests
      const span = tracer.startSpan(`FreedomPay ${operation}`, { kind: SpanKind.CLIENT }, parent)
      span.setAttribute('partner.operation', operation)
      return {
        headers: reachesPartner ? { ...write(trace.setSpan(parent, span)), ...given({ tracestate }) } : {},
        end: (outcome) => endCall(span, outcome),
      }
    },
    observeLedger(operation, result, seconds) {
      const parent = current.getStore()?.context
      // The reconciler and the probes use the ledger about once a second: a trace of each step would be noise.
      if (parent === undefined) return
      const endedAt = Date.now()
      const attributes = { 'ledger.operation': operation, 'ledger.result': result }
      const options = { kind: SpanKind.CLIENT, startTime: endedAt - seconds * 1000, attributes }
      const span = tracer.startSpan(`ledger ${operation}`, options, parent)
      if (result === 'error') span.setStatus({ code: SpanStatusCode.ERROR })
      span.end(endedAt)
    },
    stop: () => stopProvider(provider),
  }
}

function endRequest(span: Span, { method, route, statusCode, outcome, problem }: TracedRequest): void {
  span.updateName(`${method} ${route}`)
  span.setAttributes({
    'http.request.method': method,
    'http.route': route,
    'http.response.status_code': statusCode,
    ...given({ 'clients.outcome': outcome, 'clients.problem': problem }),
  })
  if (statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
  span.end()
}

function endCall(span: Span, { kind, result }: Outcome): void {
  span.setAttributes({ 'partner.outcome': kind, 'partner.result': result })
  if (result !== 'ok' && result !== 'rejected') span.setStatus({ code: SpanStatusCode.ERROR })
  span.end()
}

function given(members: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(members).filter((member): member is [string, string] => member[1] !== undefined),
  )
}
