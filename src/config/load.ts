/** From the environment to the configuration. All faults are named at once; the frozen result holds no secret. */
import { toAuthSettings } from './auth-settings.ts'
import { toCollector, toTrustProxy } from './convert.ts'
import { toLedgerSettings } from './ledger-settings.ts'
import { toPartnerSettings } from './partner-settings.ts'
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
  return {
    host: settings.HOST,
    port: settings.PORT,
    opsPort: settings.OPS_PORT,
    logLevel: settings.LOG_LEVEL,
    ...toPartnerSettings(settings, isSandbox, env, faults),
    requestDeadlineMs: settings.REQUEST_DEADLINE_MS,
    createWaitMs: settings.CREATE_WAIT_MS,
    reconcilerConcurrency: settings.RECONCILER_CONCURRENCY,
    ...toLedgerSettings(settings, env, faults),
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
