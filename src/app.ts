/** The public listener, assembled. Nothing here reads a setting or listens. */
import { type FastifyInstance, fastify, LogController } from 'fastify'
import type { Logger } from 'pino'
import type { ClientRoutesOptions } from './clients/routes.ts'
import { registerClientRoutes } from './clients/routes.ts'
import requestId, { generateRequestId } from './plugins/common-headers.ts'
import type { DocsMode } from './plugins/docs-page/register-docs.ts'
import { addDrainHooks, type Lifecycle } from './plugins/drain.ts'
import errorHandler, { answerClientError, sendProblem, toProblem } from './plugins/error-handler.ts'
import httpMetrics from './plugins/http-metrics.ts'
import openapi from './plugins/openapi.ts'
import { schemaCompilers } from './plugins/schema-compilers.ts'
import { registerProblemPages } from './problems/pages.ts'
import { createRequestLogs } from './telemetry/logger.ts'
import type { Metrics } from './telemetry/metrics.ts'

export interface AppParts extends ClientRoutesOptions {
  readonly log: Logger
  readonly metrics: Metrics
  readonly lifecycle: Lifecycle
  readonly version: string
  readonly isSandbox: boolean
  readonly docs: DocsMode
  /** Adds the sandbox's page; undefined where there is no sandbox in this process. */
  readonly addSandboxPage: ((app: FastifyInstance) => Promise<void>) | undefined
  /** Whom to believe `X-Forwarded-*`: nobody, a number of hops in front, or addresses. */
  readonly trustProxy: false | number | string
}

/** A whole request, headers and body, must arrive within this; 3 MiB in it is a slow mobile line. */
const requestTimeoutMs = 30_000
const headersTimeoutMs = 10_000
/** Longer than the 60 s after which common gateways drop an idle upstream connection, so that they end it and not we. */
const keepAliveTimeoutMs = 72_000

export async function buildApp(parts: AppParts): Promise<FastifyInstance> {
  const { log, metrics, lifecycle, version, isSandbox, docs, trustProxy } = parts
  const app = fastify({
    loggerInstance: log,
    schemaController: { compilersFactory: schemaCompilers },
    // One line a request of our own, from http-metrics.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'reqId' }),
    childLoggerFactory: createRequestLogs(log),
    requestIdHeader: false,
    genReqId: generateRequestId,
    trustProxy: typeof trustProxy === 'number' ? (_address, hop) => hop < trustProxy : trustProxy,
    requestTimeout: requestTimeoutMs,
    // Node takes the longer of the two for the whole request, and its default is a minute.
    http: { headersTimeout: headersTimeoutMs },
    keepAliveTimeout: keepAliveTimeoutMs,
    // While closing, requests are refused with a problem of our own.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => answerClientError(error, socket, log),
    frameworkErrors: (error, request, reply) => sendProblem(toProblem(error), request, reply),
    routerOptions: { maxParamLength: 300 },
  }) as unknown as FastifyInstance

  await app.register(requestId, { isSandbox })
  await app.register(httpMetrics, { metrics })
  addDrainHooks(app, lifecycle)
  await app.register(errorHandler)
  await app.register(openapi, { version, docs, isSandbox })
  await registerProblemPages(app)
  await parts.addSandboxPage?.(app)
  await app.register((scope) => registerClientRoutes(scope, parts))
  return app
}
