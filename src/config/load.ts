/** From the environment to the configuration. All faults are named at once; the frozen result holds no secret. */
import { toAuthSettings } from './auth-settings.ts'
import { toCollector, toHost, toTrustProxy } from './convert.ts'
import { toLedgerSettings } from './ledger-settings.ts'
import { toPartnerSettings } from './partner-settings.ts'
import { describeFaults, type Environment, isGiven, isNamed, readSettings, readText } from './read-environment.ts'
import { type SettingName, Settings, type SettingsReading } from './settings.ts'

export type Config = ReturnType<typeof loadConfig>

/** All faults of the environment together, each naming its setting and never its value. */
export class ConfigError extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(describeFaults(faults))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** Each of them says that a partner is wanted, also one whose file is empty or cannot be read. */
const partnerNames: readonly SettingName[] = ['FREEDOMPAY_BASE_URL', 'FREEDOMPAY_AUTH_ID', 'FREEDOMPAY_SECRET_KEY']
const requiredNames: readonly SettingName[] = ['FREEDOMPAY_AUTH_ID', 'FREEDOMPAY_SECRET_KEY', 'FREEDOMPAY_PRODUCT_ID']

/** @throws ConfigError */
export function loadConfig(env: Environment) {
  const faults: string[] = []
  const reading = readSettings(Settings, env, faults)
  const isProduction = env.NODE_ENV === 'production'
  const isSandbox = !isProduction && !partnerNames.some((name) => isNamed(env, name))
  const absent = isSandbox ? [] : requiredNames.filter((name) => !isGiven(reading, name))
  faults.push(...absent.map((name) => `${name} is required`))
  const read = (name: SettingName) => readText(env, name)
  const auth = toAuthSettings(reading, { isProduction, read }, faults)
  const config = { ...toConfig(reading, isSandbox, env, faults), auth }
  if (faults.length > 0) throw new ConfigError(faults)
  return Object.freeze(config)
}

/** The type of each member is inferred from its expression. The result holds no secret, only functions that read secrets. */
function toConfig(reading: SettingsReading, isSandbox: boolean, env: Environment, faults: string[]) {
  const settings = reading.values
  return {
    host: toHost(settings.HOST, faults),
    ...toPorts(reading, faults),
    logLevel: settings.LOG_LEVEL,
    ...toPartnerSettings(settings, isSandbox, env, faults),
    requestDeadlineMs: settings.REQUEST_DEADLINE_MS,
    createWaitMs: settings.CREATE_WAIT_MS,
    reconcilerConcurrency: settings.RECONCILER_CONCURRENCY,
    ...toLedgerSettings(reading, env, faults),
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

/** 0 is a free port each. */
function toPorts({ values: { PORT: port, OPS_PORT: opsPort }, faulty }: SettingsReading, faults: string[]) {
  const areKnown = !faulty.has('PORT') && !faulty.has('OPS_PORT')
  if (areKnown && port === opsPort && port !== 0) faults.push('OPS_PORT must differ from PORT')
  return { port, opsPort }
}
