/** Sends the spans to the collector, by OTLP over HTTP. */
import { setTimeout as sleep } from 'node:timers/promises'
import { setGlobalErrorHandler } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { Logger } from 'pino'
import packageJson from '../../package.json' with { type: 'json' }

/** A collector that does not answer must not delay the end of the process. */
const longestStopMs = 1000
const exportTimeoutMs = 5000
const warnEveryMs = 60_000

export function createProvider(collector: string, sampledShare: number): TracerProvider {
  const exporter = new OTLPTraceExporter({
    url: `${collector.replace(/\/$/, '')}/v1/traces`,
    timeoutMillis: exportTimeoutMs,
  })
  const { name, version } = packageJson
  // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES can add more, for example the environment.
  const own = resourceFromAttributes({ 'service.name': name, 'service.version': version })
  return new TracerProvider({
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampledShare) }),
    spanProcessors: [new BatchSpanProcessor({ exporter, exportTimeoutMillis: exportTimeoutMs })],
  })
}

/** Sends the remaining spans, and gives up after a short time. */
export async function stopProvider(provider: TracerProvider): Promise<void> {
  const lost = provider.shutdown().catch(() => undefined)
  await Promise.race([lost, sleep(longestStopMs, undefined, { ref: false })])
}

/** The warning leaves out the error's message, as the message may quote the collector's answer. */
export function warnOfFailures(log: Logger): void {
  let nextAt = 0
  setGlobalErrorHandler(() => {
    if (performance.now() < nextAt) return
    nextAt = performance.now() + warnEveryMs
    log.warn('traces cannot be sent to the collector')
  })
}
