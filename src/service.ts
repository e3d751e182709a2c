/** The parts of the service, put together from its settings: what main.ts runs, and what the tests run. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import packageJson from '../package.json' with { type: 'json' }
import { buildApp } from './app.ts'
import { createBodyValidator } from './clients/body/validation.ts'
import { buildCreateClient } from './clients/create/create-client.ts'
import { buildPursuit } from './clients/create/deliver.ts'
import { buildFindOut } from './clients/create/find-out.ts'
import { createFingerprint } from './clients/create/idempotency-key.ts'
import { buildReadRequest } from './clients/read-request.ts'
import type { Config } from './config/load.ts'
import { createTurnstile } from './large-bodies/event-loop-slices.ts'
import { openLedger } from './ledger/open.ts'
import { startReconciler } from './ledger/reconciler.ts'
import { buildOps } from './ops.ts'
import { createCardApi } from './partner/card-api.ts'
import { createDispatcher } from './partner/dispatcher.ts'
import { createBulkhead, withCircuitBreaker } from './partner/resilience.ts'
import { createSigner } from './partner/signature.ts'
import { drainServer, type Lifecycle } from './plugins/drain.ts'
import { sandboxCredentials } from './sandbox/credentials.ts'
import { createMetrics } from './telemetry/metrics.ts'

/** Between the end of a question to the partner and the moment when another replica may ask it. */
const leaseMarginMs = 5000

export interface Service {
  /** Where the API listens, e.g. `http://127.0.0.1:3000`. */
  readonly url: string
  readonly opsUrl: string
  /** Answers what is in flight, then closes everything. */
  stop(): Promise<void>
}

/** Starts everything, the sandbox too where there are no credentials, and resolves once requests are taken. */
export async function startService(config: Config, log: Logger, commit: string): Promise<Service> {
  const { version } = packageJson
  const ledger = await openLedger(config.readLedger(), log)
  const metrics = createMetrics({ version, commit }, () => ledger.unresolved())
  const lifecycle: Lifecycle = { phase: 'starting' }
  const bulkhead = createBulkhead(config.partnerMaxInFlight)
  const turn = createTurnstile()

  const sandbox = config.partnerOrigin === undefined ? await startSandbox(log) : undefined
  const origin = sandbox?.origin ?? config.partnerOrigin ?? ''
  const dispatcher = createDispatcher({
    origin,
    connectTimeoutMs: config.partnerConnectTimeoutMs,
  })
  const signedApi = createCardApi({
    dispatcher,
    origin,
    sign: createSigner(config.signature, config.readCredentials?.() ?? sandboxCredentials),
    turn,
    codes: { duplicate: config.duplicateCodes, notFound: config.notFoundCodes },
    timeoutMs: config.partnerTimeoutMs,
    observer: metrics.partnerObserver,
  })
  const cardApi = withCircuitBreaker(signedApi, metrics.setCircuitState)
  const pursuit = buildPursuit({
    cardApi,
    settings: { waitMs: config.createWaitMs, settleMs: config.partnerSettleMs },
    countRetry: (reason) => metrics.partnerRetries.inc({ reason }),
  })
  const createClient = buildCreateClient({
    ledger,
    pursuit,
    bulkhead,
    settings: {
      defaults: { productId: config.productId, branchId: config.branchId },
      deadlineMs: config.requestDeadlineMs,
    },
  })
  const reconciler = startReconciler({
    ledger,
    findOut: buildFindOut(cardApi, { settleMs: config.partnerSettleMs, askMs: config.partnerTimeoutMs }),
    leaseMs: config.partnerSettleMs + 2 * config.partnerTimeoutMs + leaseMarginMs,
    log,
  })

  const ops = await buildOps({ log, metrics, lifecycle, checks: { ledger: () => ledger.ping() } })
  const app = await buildApp({
    log,
    metrics,
    lifecycle,
    version,
    isSandbox: sandbox !== undefined,
    docs: config.docs,
    addSandboxPage: sandbox?.pageFor(async (requestId) => (await ledger.find(requestId))?.state),
    trustProxy: config.trustProxy,
    deadlineMs: config.requestDeadlineMs,
    createClient,
    readRequest: buildReadRequest(ledger),
    fingerprint: createFingerprint(config.readLedgerKey()),
    turn,
    validateBody: createBodyValidator({
      region: config.region,
      defaultProductId: config.productId,
      allowedProductIds: config.allowedProductIds,
      allowedBranchIds: config.allowedBranchIds,
      alsoRequired: config.alsoRequired,
    }),
  })

  async function closeParts(): Promise<void> {
    await reconciler.stop()
    await ledger.close()
    await dispatcher.destroy()
    await sandbox?.close()
    await ops.close()
  }

  try {
    const opsUrl = await ops.listen({ host: config.host, port: config.opsPort })
    const url = await app.listen({ host: config.host, port: config.port })
    lifecycle.phase = 'ready'
    log.info({ url, opsUrl, docs: config.docs === 'off' ? undefined : `${url}/docs`, region: config.region }, 'ready')
    return {
      url,
      opsUrl,
      async stop() {
        lifecycle.phase = 'draining'
        await sleep(config.shutdownDelayMs)
        await drainServer(app, lifecycle, bulkhead)
        await closeParts()
      },
    }
  } catch (error) {
    await app.close()
    await closeParts()
    throw error
  }
}

/** As `SANDBOX_PORT`'s default. */
const usualSandboxPort = 4010

/** Loaded only where it is used, as production has none. */
async function startSandbox(log: Logger) {
  const { buildSandbox } = await import('./sandbox/app.ts')
  const { createSandboxEvents, tellCall } = await import('./sandbox/events.ts')
  const { registerSandboxPage } = await import('./sandbox/page.ts')
  const events = createSandboxEvents()
  const sandbox = buildSandbox({
    credentials: sandboxCredentials,
    onReceived(call) {
      const told = tellCall(call)
      if (told !== undefined) events.add(told.requestId, 'FreedomPay', told.what)
    },
  })
  // The address that one knows, where nobody else has it.
  const origin = await sandbox.listen(usualSandboxPort).catch(() => sandbox.listen())
  log.warn(
    { partner: 'sandbox', url: origin },
    'no FreedomPay credentials: talking to the built-in sandbox, which creates no real clients',
  )
  return {
    origin,
    close: () => sandbox.close(),
    pageFor: (findState: (requestId: string) => Promise<string | undefined>) => (app: FastifyInstance) =>
      registerSandboxPage(app, { events, findState, origin }),
  }
}
