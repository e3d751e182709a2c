/** From the environment to the configuration. All faults are named at once; the frozen result holds no secret. */
import { regions } from '../partner/regions.ts'
import { toAuthSettings } from './auth-settings.ts'
import { toCollector, toIntegers, toList, toMembers, toOrigin, toTrustProxy } from './convert.ts'
import { toLedgerKeyReader } from './ledger-settings.ts'
import { type Environment, findAbsent, parseSettings, readText, readTexts } from './read-environment.ts'
import type { Settings } from './settings.ts'

export type Config = ReturnType<typeof loadConfig>

/** All faults of the environment together, each naming its setting and never its value. */
export class ConfigError extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(`The settings are faulty:\n${faults.map((fault) => `- ${fault}`).join('\n')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** The sandbox takes any product; 1000 is the one whose requirements are documented. */
const sandboxProductId = 1000

/** @throws ConfigError */
export function loadConfig(env: Environment) {
  const faults: string[] = []
  const texts = readTexts(env, faults)
  const settings = parseSettings(texts, faults)
  const isProduction = env.NODE_ENV === 'production'
  const isSandbox =
    !isProduction &&
    texts.FREEDOMPAY_BASE_URL === undefined &&
    texts.FREEDOMPAY_AUTH_ID === undefined &&
    texts.FREEDOMPAY_SECRET_KEY === undefined
  if (!isSandbox) faults.push(...findAbsent(texts))
  const read = (name: keyof Settings) => readText(env, name)
  const auth = toAuthSettings(settings, { given: texts, isProduction, read }, faults)
  const config = { ...toConfig(settings, isSandbox, env, faults), auth }
  if (faults.length > 0) throw new ConfigError(faults)
  return Object.freeze(config)
}

/** The type of each member is inferred from its expression. The result holds no secret, only functions that read secrets. */
function toConfig(settings: Settings, isSandbox: boolean, env: Environment, faults: string[]) {
  const region = regions[settings.FREEDOMPAY_REGION]
  const productId = settings.FREEDOMPAY_PRODUCT_ID ?? sandboxProductId
  const branchId = settings.FREEDOMPAY_BRANCH_ID
  const origin = toOrigin(settings.FREEDOMPAY_BASE_URL ?? region.baseUrl, faults)
  return {
    host: settings.HOST,
    port: settings.PORT,
    opsPort: settings.OPS_PORT,
    logLevel: settings.LOG_LEVEL,
    region: settings.FREEDOMPAY_REGION,
    /** Undefined: the sandbox, in this process. */
    partnerOrigin: isSandbox ? undefined : origin,
    signature: settings.FREEDOMPAY_SIGNATURE ?? region.signature,
    /** Reads the present credentials; undefined for the sandbox, which has its own. */
    readCredentials: isSandbox
      ? undefined
      : () => ({
          authId: readText(env, 'FREEDOMPAY_AUTH_ID') ?? '',
          secretKey: readText(env, 'FREEDOMPAY_SECRET_KEY') ?? '',
        }),
    productId,
    branchId,
    allowedProductIds: new Set([productId, ...toIntegers(settings.FREEDOMPAY_ALLOWED_PRODUCT_IDS, faults)]),
    allowedBranchIds: new Set([...(branchId ? [branchId] : []), ...toList(settings.FREEDOMPAY_ALLOWED_BRANCH_IDS)]),
    alsoRequired: toMembers(settings.FREEDOMPAY_REQUIRED, faults),
    codes: {
      duplicate: new Set(toList(settings.FREEDOMPAY_DUPLICATE_CODES)),
      notFound: new Set(toList(settings.FREEDOMPAY_NOT_FOUND_CODES)),
    },
    requestDeadlineMs: settings.REQUEST_DEADLINE_MS,
    createWaitMs: settings.CREATE_WAIT_MS,
    partnerConnectTimeoutMs: settings.PARTNER_CONNECT_TIMEOUT_MS,
    partnerTimeoutMs: settings.PARTNER_TIMEOUT_MS,
    partnerKeepAliveMs: settings.PARTNER_KEEP_ALIVE_MS,
    partnerSettleMs: settings.PARTNER_SETTLE_MS,
    partnerAbsentMs: settings.PARTNER_ABSENT_MS,
    partnerDoubtMs: settings.PARTNER_DOUBT_MS,
    mayResend: settings.PARTNER_RESEND,
    partnerMaxInFlight: settings.PARTNER_MAX_IN_FLIGHT,
    partnerMaxWaiting: settings.PARTNER_MAX_WAITING,
    reconcilerConcurrency: settings.RECONCILER_CONCURRENCY,
    /** A function, as a `redis://` address may hold a password. */
    readLedger: () => ({ url: settings.LEDGER_URL, retentionMs: settings.LEDGER_RETENTION_HOURS * 3_600_000 }),
    /** Undefined: derived from the host and the auth id. */
    ledgerAccount: settings.LEDGER_ACCOUNT,
    /** Reads the present key of the body fingerprints; undefined: derived from the secret key. */
    readLedgerKey: toLedgerKeyReader(settings, env, faults),
    /** An empty file counts as absent. */
    readPreviousLedgerKey: () => readText(env, 'LEDGER_PREVIOUS_KEY') || undefined,
    /** 0: no limit. */
    callerRatePerMinute: settings.CALLER_RATE_PER_MINUTE,
    needsIdempotencyKey: settings.IDEMPOTENCY_KEY === 'required',
    /** Empty, or with a slash at the start and none at the end. */
    basePath: settings.BASE_PATH,
    trustProxy: toTrustProxy(settings.TRUST_PROXY, faults),
    docs: settings.DOCS ?? (env.NODE_ENV === 'production' ? 'read' : 'try'),
    tracing: {
      collector: toCollector(settings.OTEL_EXPORTER_OTLP_ENDPOINT, faults),
      sampledShare: Number(settings.OTEL_TRACES_SAMPLER_ARG),
      reachesPartner: settings.PARTNER_TRACE_CONTEXT,
    },
    shutdownDelayMs: settings.SHUTDOWN_DELAY_MS,
  }
}
