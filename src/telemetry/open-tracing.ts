/** Chooses the tracing by the settings. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Logger } from 'pino'
import { readTraceContext, type Tracing, type TracingSettings } from './tracing.ts'

/** OpenTelemetry costs memory and start-up time, so it is loaded only with a collector. */
export async function openTracing(settings: TracingSettings, log: Logger): Promise<Tracing | undefined> {
  if (settings.collector === undefined) return settings.reachesPartner ? passOn() : undefined
  const { openTelemetry } = await import('./open-telemetry.ts')
  return openTelemetry({ ...settings, collector: settings.collector }, log)
}

/** Without a collector the service makes no spans, but sends the caller's trace context on to FreedomPay. */
function passOn(): Tracing {
  const current = new AsyncLocalStorage<Readonly<Record<string, string>>>()
  return {
    startRequest(headers) {
      const context = readTraceContext(headers)
      return { traceparent: context.traceparent, run: (next) => current.run(context, next), end() {} }
    },
    startCall: () => ({ headers: current.getStore() ?? {}, end() {} }),
    observeLedger() {},
    async stop() {},
  }
}
