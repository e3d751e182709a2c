/** The parts of the service, put together from its settings. main.ts and the tests start the same service. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import packageJson from '../package.json' with { type: 'json' }
import { buildApp } from './app.ts'
import { openAuthenticator } from './auth/open.ts'
import { createSecretReport, lookAgainMs } from './auth/watch-secret.ts'
import { createBodyValidator } from './clients/body/validation.ts'
import { watchLedgerKeys } from './clients/create/ledger-keys.ts'
import type { Config } from './config/load.ts'
import { startCore } from './core.ts'
import { createTurnstile } from './large-bodies/event-loop-slices.ts'
import { createRefusalPace } from './large-bodies/refusal-pace.ts'
import { nameAccount } from './ledger/account.ts'
import { observeLedger } from './ledger/observe.ts'
import { openLedger } from './ledger/open.ts'
import { createProbe } from './ledger/probe.ts'
import { buildOps } from './ops.ts'
import { createDispatcher } from './partner/dispatcher.ts'
import { createFairShare } from './partner/fair-share.ts'
import { createSigner, deriveKey } from './partner/signature.ts'
import { drainServer, type Lifecycle } from './plugins/drain.ts'
import { sandboxCredentials } from './sandbox/credentials.ts'
import { registerDroppedLines } from './telemetry/log-destination.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { openTracing } from './telemetry/open-tracing.ts'

export interface Service {
  /** Where the API listens, e.g. `http://127.0.0.1:3000`. */
  readonly url: string
  readonly opsUrl: string
  /** Answers the requests in flight, then closes everything. */
  stop(): Promise<void>
}

/** Starts everything, without credentials also the sandbox. Resolves when the service accepts requests. */
export async function startService(config: Config, log: Logger, commit: string): Promise<Service> {
  const { version } = packageJson
  const engine = await openLedger(config.readLedger(), log)
  const metrics = createMetrics({ version, commit }, () => engine.stats())
  const tracing = await openTracing(config.tracing, log)
  const opened = observeLedger(engine, (...step) => {
    metrics.observeLedgerRequest(...step)
    tracing?.observeLedger(...step)
  })
  registerDroppedLines(metrics.registry, log)
  const lifecycle: Lifecycle = { phase: 'starting' }
  const turn = createTurnstile()
  const secretParts = { observe: metrics.observeSecret, log }
  const authenticator = openAuthenticator(config.auth, secretParts)

  // Loaded only here, as production must never load the sandbox.
  const sandbox =
    config.partnerOrigin === undefined ? await (await import('./sandbox/start.ts')).startSandbox(log) : undefined
  const origin = sandbox?.origin ?? config.partnerOrigin ?? ''
  const readCredentials = config.readCredentials ?? (() => sandboxCredentials)
  const probe = createProbe(opened, config.ledgerAccount ?? nameAccount(origin, readCredentials().authId))
  const { ledger } = probe
  await probe.start(log)
  const dispatcher = createDispatcher({
    origin,
    connectTimeoutMs: config.partnerConnectTimeoutMs,
    keepAliveMs: config.partnerKeepAliveMs,
  })
  const secretReport = config.readCredentials && createSecretReport({ name: 'FREEDOMPAY_SECRET_KEY', ...secretParts })
  const sign = createSigner(config.signature, readCredentials, secretReport)
  const signerTimer = setInterval(sign.reload, lookAgainMs).unref()
  const {
    createClient,
    readRequest,
    bulkhead,
    stop: stopCore,
  } = startCore({
    settings: config,
    ledger,
    dispatcher,
    origin,
    sign,
    turn,
    log,
    observer: {
      partner: metrics.partnerObserver,
      reconciler: metrics.reconcilerObserver,
      countRetry: (reason) => metrics.partnerRetries.inc({ reason }),
      countUnknownDuplicate: () => metrics.unknownDuplicates.inc(),
      setCircuitState: metrics.setCircuitState,
    },
    startTrace: tracing?.startCall,
  })
  const derivedKey = deriveKey(readCredentials, 'ledger key')
  const ledgerKeys = watchLedgerKeys(
    () => ({ key: config.readLedgerKey() ?? derivedKey, previousKey: config.readPreviousLedgerKey() }),
    secretParts,
  )

  const { basePath } = config
  const ops = await buildOps({ log, metrics, lifecycle, basePath, checks: { ledger: () => probe.check() } })
  const app = await buildApp({
    log,
    metrics,
    tracing,
    lifecycle,
    version,
    isSandbox: sandbox !== undefined,
    docs: config.docs,
    sandboxPage: sandbox?.pageFor(async (requestId) => (await ledger.find(requestId))?.state),
    basePath,
    trustProxy: config.trustProxy,
    authenticator,
    callerRatePerMinute: config.callerRatePerMinute,
    countForAll: engine.countForAll,
    needsIdempotencyKey: config.needsIdempotencyKey,
    deadlineMs: config.requestDeadlineMs,
    createClient,
    readRequest,
    ledgerKeys,
    reading: { turn, places: createFairShare(config.partnerMaxInFlight), paceRefusal: createRefusalPace() },
    validateBody: createBodyValidator({
      region: config.region,
      defaultProductId: config.productId,
      allowedProductIds: config.allowedProductIds,
      allowedBranchIds: config.allowedBranchIds,
      alsoRequired: config.alsoRequired,
    }),
  })

  async function closeParts(): Promise<void> {
    authenticator?.stop()
    ledgerKeys.stop()
    clearInterval(signerTimer)
    await stopCore()
    await ledger.close()
    await dispatcher.destroy()
    await sandbox?.close()
    await ops.close()
    await tracing?.stop()
  }

  try {
    const opsUrl = await ops.listen({ host: config.host, port: config.opsPort })
    const url = await app.listen({ host: config.host, port: config.port })
    lifecycle.phase = 'ready'
    const page = config.docs === 'off' ? undefined : `${url}${basePath}/docs`
    log.info({ url, opsUrl, docs: page, region: config.region }, 'ready')
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
