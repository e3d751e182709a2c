/** The parts of the service, put together from its settings. main.ts and the tests start the same service. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import packageJson from '../package.json' with { type: 'json' }
import { buildApp } from './app.ts'
import { openAuthenticator } from './auth/open.ts'
import { createSecretReport, lookAgainMs } from './auth/watch-secret.ts'
import { createBodyValidator } from './clients/body/validation.ts'
import { watchLedgerKeys } from './clients/create/ledger-keys.ts'
import { type Config, ConfigError } from './config/load.ts'
import { startCore } from './core.ts'
import { createTurnstile } from './large-bodies/event-loop-slices.ts'
import { createRefusalPace } from './large-bodies/refusal-pace.ts'
import { nameAccount } from './ledger/account.ts'
import type { ForeignLedgerError } from './ledger/ledger.ts'
import { observeLedger } from './ledger/observe.ts'
import { openLedger } from './ledger/open.ts'
import { createProbe, type Probe } from './ledger/probe.ts'
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
  /** Resolves if the ledger, reached only after the start, belongs to another account. Then the process must stop. */
  readonly foreign: Promise<ForeignLedgerError>
  /** Answers the requests in flight, then closes everything. */
  stop(): Promise<void>
}

/**
 * Starts everything, without credentials also the sandbox. Resolves when the service accepts requests.
 * @throws ForeignLedgerError, ConfigError if nothing can listen on HOST
 */
export async function startService(config: Config, log: Logger, commit: string): Promise<Service> {
  const closing = new AsyncDisposableStack()
  try {
    return await startParts(config, log, commit, closing)
  } catch (error) {
    await closing.disposeAsync()
    throw error
  }
}

/** `closing` gets every part that must be closed, and closes the latest first. */
async function startParts(
  config: Config,
  log: Logger,
  commit: string,
  closing: AsyncDisposableStack,
): Promise<Service> {
  const { version } = packageJson
  let probe: Probe | undefined
  const metrics = createMetrics({ version, commit }, async () => opened(probe).ledger.stats())
  registerDroppedLines(metrics.registry, log)
  const lifecycle: Lifecycle = { phase: 'starting' }

  // Loaded only here, as production must never load the sandbox.
  const sandbox =
    config.partnerOrigin === undefined ? await (await import('./sandbox/start.ts')).startSandbox(log) : undefined
  closing.defer(async () => sandbox?.close())

  // Before the rest, as Kubernetes asks /livez while the ledger lets the service wait.
  const checks = { ledger: async () => opened(probe).check() }
  const { basePath } = config
  const ops = await buildOps({ log, metrics, lifecycle, basePath, checks })
  closing.defer(() => ops.close())
  const opsUrl = await listen(ops, config.host, config.opsPort)

  const tracing = await openTracing(config.tracing, log)
  closing.defer(async () => tracing?.stop())
  const engine = await openLedger(config.readLedger(), log)
  closing.defer(() => engine.close())
  const observed = observeLedger(engine, (...step) => {
    metrics.observeLedgerRequest(...step)
    tracing?.observeLedger(...step)
  })
  const origin = sandbox?.origin ?? config.partnerOrigin ?? ''
  const readCredentials = config.readCredentials ?? (() => sandboxCredentials)
  probe = createProbe(observed, config.ledgerAccount ?? nameAccount(origin, readCredentials().authId))
  const { ledger, foreign } = probe
  await probe.start(log)

  const turn = createTurnstile()
  const secretParts = { observe: metrics.observeSecret, log }
  const authenticator = openAuthenticator(config.auth, secretParts)
  closing.defer(() => authenticator?.stop())
  const dispatcher = createDispatcher({
    origin,
    connectTimeoutMs: config.partnerConnectTimeoutMs,
    keepAliveMs: config.partnerKeepAliveMs,
  })
  closing.defer(() => dispatcher.destroy())
  const secretReport = config.readCredentials && createSecretReport({ name: 'FREEDOMPAY_SECRET_KEY', ...secretParts })
  const sign = createSigner(config.signature, readCredentials, secretReport)
  const signerTimer = setInterval(sign.reload, lookAgainMs).unref()
  closing.defer(() => clearInterval(signerTimer))
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
  closing.defer(() => stopCore())
  const derivedKey = deriveKey(readCredentials, 'ledger key')
  const ledgerKeys = watchLedgerKeys(
    () => ({ key: config.readLedgerKey() ?? derivedKey, previousKey: config.readPreviousLedgerKey() }),
    secretParts,
  )
  closing.defer(() => ledgerKeys.stop())

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
    countForAll: ledger.countForAll,
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

  closing.defer(() => app.close())
  const url = await listen(app, config.host, config.port)
  lifecycle.phase = 'ready'
  const page = config.docs === 'off' ? undefined : `${url}${basePath}/docs`
  log.info({ url, opsUrl, docs: page, region: config.region }, 'ready')
  return {
    url,
    opsUrl,
    foreign,
    async stop() {
      lifecycle.phase = 'draining'
      await sleep(config.shutdownDelayMs)
      await drainServer(app, lifecycle, bulkhead)
      await closing.disposeAsync()
    },
  }
}

/** The operations listener answers before the ledger is open. */
function opened(probe: Probe | undefined): Probe {
  if (probe === undefined) throw new Error('the ledger is not open yet')
  return probe
}

/** HOST has no address, or one of another machine. */
const faultsOfHost = ['ENOTFOUND', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']

async function listen(server: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await server.listen({ host, port })
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    throw faultsOfHost.includes(code) ? new ConfigError([`HOST is no address of this machine (${code})`]) : error
  }
}
