/** The public listener, assembled from its plugins. This file reads no setting and does not listen. */
import { type FastifyBaseLogger, type FastifyInstance, type FastifyPluginAsync, fastify, LogController } from 'fastify'
import type { Logger } from 'pino'
import type { Authenticator } from './auth/caller.ts'
import clientRoutes, { type ClientRoutesOptions } from './clients/routes.ts'
import expectContinue from './large-bodies/expect-continue.ts'
import type { CountForAll } from './ledger/ledger.ts'
import authentication from './plugins/authentication.ts'
import commonHeaders, { generateRequestId } from './plugins/common-headers.ts'
import docsPage, { type DocsMode } from './plugins/docs-page/docs-page.ts'
import guidePages from './plugins/docs-page/guide-pages.ts'
import drain, { type Lifecycle } from './plugins/drain.ts'
import errorHandler, { sendProblem } from './plugins/error-handler.ts'
import { trackExchange } from './plugins/http-exchanges.ts'
import httpMetrics from './plugins/http-metrics.ts'
import linger, { lingerIfIncomplete } from './plugins/linger.ts'
import notFound from './plugins/not-found.ts'
import openapi from './plugins/openapi.ts'
import paceFloods from './plugins/pace-floods.ts'
import callerRate from './plugins/rate-limit.ts'
import { answerClientError, answerTunnel } from './plugins/raw-answers.ts'
import schemaCompilers, { noDefaultCompilers } from './plugins/schema-compilers.ts'
import traces from './plugins/traces.ts'
import unreadableHttp from './plugins/unreadable-http.ts'
import problemPages from './problems/pages.ts'
import { toProblem } from './problems/translate.ts'
import type { SandboxPageOptions } from './sandbox/page.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { createRequestLogs } from './telemetry/request-log.ts'
import type { Tracing } from './telemetry/tracing.ts'

export interface AppParts extends ClientRoutesOptions {
  readonly log: Logger
  readonly metrics: Metrics
  /** Undefined: no traces. */
  readonly tracing?: Tracing | undefined
  readonly lifecycle: Lifecycle
  readonly version: string
  readonly isSandbox: boolean
  /** Whether and how /docs is served; /openapi.json is always served. */
  readonly docs: DocsMode
  /** A part and not an import, because production must never load the sandbox. Undefined: no sandbox in this process. */
  readonly sandboxPage: SandboxPage | undefined
  /** In front of every public route; empty: no prefix. */
  readonly basePath: string
  /** The proxies whose `X-Forwarded-*` are believed: false for none, a number of hops, or addresses. */
  readonly trustProxy: false | number | string
  /** Undefined: every caller is anonymous. */
  readonly authenticator: Authenticator | undefined
  /** 0: no limit. */
  readonly callerRatePerMinute: number
  /** Undefined: each process counts for itself. */
  readonly countForAll?: CountForAll | undefined
}

interface SandboxPage {
  readonly plugin: FastifyPluginAsync<SandboxPageOptions>
  readonly options: Omit<SandboxPageOptions, 'hasDocs'>
}

/** For a whole request, headers and body: even on a slow mobile line 3 MiB arrive within 30 s. */
const requestTimeoutMs = 30_000
const headersTimeoutMs = 10_000
/** How often Node looks for requests that are too slow. With Node's default of 30 s a request could take 30 s longer. */
const lateRequestsEveryMs = 2000
/** Longer than the 60 s after which common gateways drop an idle upstream connection, so that the gateway ends the connection first. */
const keepAliveTimeoutMs = 72_000
/** Only POST /clients takes a body, and that route has a reader and a limit of its own. */
const bodyLimitBytes = 1024
/** The last answer says `Connection: close`. So callers connect again, and their connections spread over new replicas. */
const maxRequestsPerSocket = 10_000

export async function buildApp(parts: AppParts): Promise<FastifyInstance> {
  const { log, metrics, lifecycle, version, isSandbox, docs, basePath, trustProxy, authenticator, sandboxPage } = parts
  const loggerInstance: FastifyBaseLogger = log
  const app: FastifyInstance = fastify({
    loggerInstance,
    schemaController: { compilersFactory: noDefaultCompilers },
    // http-metrics writes one line for each request instead.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'reqId' }),
    childLoggerFactory: createRequestLogs(log),
    requestIdHeader: false,
    genReqId: generateRequestId,
    trustProxy: typeof trustProxy === 'number' ? (_address, hop) => hop < trustProxy : trustProxy,
    requestTimeout: requestTimeoutMs,
    // Node uses the longer of both time-outs for the whole request, and the default of headersTimeout is a minute.
    http: { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: lateRequestsEveryMs },
    keepAliveTimeout: keepAliveTimeoutMs,
    bodyLimit: bodyLimitBytes,
    maxRequestsPerSocket,
    // While closing, drain.ts refuses requests with a problem.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => answerClientError(error, socket, log, parts),
    frameworkErrors(error, request, reply) {
      trackExchange(request, reply)
      lingerIfIncomplete(request, reply)
      return sendProblem(toProblem(error), request, reply, parts)
    },
    routerOptions: { maxParamLength: 300 },
  })
  app.server.on('connect', (request, socket) => answerTunnel(request, socket, log, parts))

  await app.register(schemaCompilers)
  // Without a credential there is one caller, and nobody to protect.
  if (authenticator !== undefined) await app.register(paceFloods, { lifecycle, deadlineMs: parts.deadlineMs })
  await app.register(commonHeaders, { isSandbox })
  await app.register(httpMetrics, { metrics })
  if (parts.tracing !== undefined) await app.register(traces, { tracing: parts.tracing })
  await app.register(errorHandler, { basePath })
  // Before unreadable-http, which ends a connection whose answer says `Connection: close`.
  await app.register(drain, { lifecycle })
  await app.register(linger)
  await app.register(unreadableHttp)
  await app.register(notFound)
  await app.register(expectContinue)
  await app.register(authentication, { authenticator })
  await app.register(callerRate, { perMinute: parts.callerRatePerMinute, countForAll: parts.countForAll })
  await app.register(
    async (scope) => {
      await scope.register(openapi, { version, scheme: authenticator?.scheme })
      if (docs !== 'off') {
        await scope.register(docsPage, { mode: docs, isSandbox })
        await scope.register(guidePages)
      }
      await scope.register(problemPages)
      if (sandboxPage !== undefined) {
        await scope.register(sandboxPage.plugin, { ...sandboxPage.options, hasDocs: docs !== 'off' })
      }
      await scope.register(clientRoutes, parts)
    },
    { prefix: basePath },
  )
  return app
}
