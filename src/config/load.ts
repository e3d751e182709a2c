/** The environment, read once: one schema, every fault named at once, a frozen result that holds no secret. */
import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { dirname } from 'node:path'
import type { AuthSettings } from '../auth/open.ts'
import { type Member, members } from '../clients/body/schema.ts'
import { minLedgerKeyBytes } from '../clients/create/ledger-keys.ts'
import type { LedgerSettings } from '../ledger/open.ts'
import { splitHosts } from '../ledger/postgres-url.ts'
import type { PartnerCodes } from '../partner/outcome.ts'
import { type Region, regions } from '../partner/regions.ts'
import type { Credentials, SignatureScheme } from '../partner/signature.ts'
import type { DocsMode } from '../plugins/docs-page/register-docs.ts'
import { Compile } from '../schemas/compile.ts'
import type { LogLevel } from '../telemetry/logger.ts'
import type { TracingSettings } from '../telemetry/tracing.ts'
import { toAuthSettings } from './auth-settings.ts'
import { Settings } from './settings.ts'

export interface Config {
  readonly host: string
  readonly port: number
  readonly opsPort: number
  readonly logLevel: LogLevel
  readonly region: Region
  /** Undefined: the sandbox, started in this process. */
  readonly partnerOrigin: string | undefined
  readonly signature: SignatureScheme
  /** Reads the credentials from where they stand; undefined for the sandbox, which has its own. */
  readonly readCredentials: (() => Credentials) | undefined
  readonly productId: number
  readonly branchId: string | undefined
  readonly allowedProductIds: ReadonlySet<number>
  readonly allowedBranchIds: ReadonlySet<string>
  readonly alsoRequired: readonly Member[]
  readonly codes: PartnerCodes
  readonly requestDeadlineMs: number
  readonly createWaitMs: number
  readonly partnerConnectTimeoutMs: number
  readonly partnerTimeoutMs: number
  readonly partnerKeepAliveMs: number
  readonly partnerSettleMs: number
  readonly partnerAbsentMs: number
  readonly partnerDoubtMs: number
  readonly mayResend: boolean
  readonly partnerMaxInFlight: number
  readonly partnerMaxWaiting: number
  readonly reconcilerConcurrency: number
  /** A function, as a `redis://` address may hold a password. */
  readonly readLedger: () => LedgerSettings
  /** Undefined: derived from the host and the auth id. */
  readonly ledgerAccount: string | undefined
  /** Reads the key of the body fingerprints from where it stands; undefined: derived from the secret key. */
  readonly readLedgerKey: () => string | undefined
  readonly readPreviousLedgerKey: () => string | undefined
  readonly auth: AuthSettings
  /** 0: any number. */
  readonly callerRatePerMinute: number
  readonly needsIdempotencyKey: boolean
  /** Empty, or with a slash in front and none at its end. */
  readonly basePath: string
  readonly trustProxy: false | number | string
  readonly docs: DocsMode
  readonly tracing: TracingSettings
  readonly shutdownDelayMs: number
}

/** All faults of the environment together, each naming its setting and never its value. */
export class ConfigError extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(`The settings are faulty:\n${faults.map((fault) => `- ${fault}`).join('\n')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** The sandbox takes any; 1000 is the product whose requirements are documented. */
const sandboxProductId = 1000

/** @throws ConfigError */
export function loadConfig(env: Environment): Config {
  const faults: string[] = []
  const texts = readTexts(env, faults)
  const settings = parse(texts, faults)
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

/** Each setting's text, from the environment itself or from the file that its `_FILE` names. Empty counts as absent. */
function readTexts(env: Environment, faults: string[]): Partial<Record<keyof Settings, string>> {
  const texts: Partial<Record<keyof Settings, string>> = {}
  for (const name of Object.keys(Settings.properties) as (keyof Settings)[]) {
    try {
      const text = readText(env, name)
      if (text !== undefined && text !== '') texts[name] = text
    } catch (error) {
      faults.push((error as Error).message)
    }
  }
  return texts
}

function readText(env: Environment, name: string): string | undefined {
  const path = env[`${name}_FILE`] || undefined
  const text = env[name] || undefined
  if (path === undefined) return text
  if (text !== undefined) throw new Error(`${name} and ${name}_FILE are both given; give one of them`)
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new Error(`${name}_FILE names a file that cannot be read (${code})`, { cause })
  }
}

const schemas = Settings.properties as Record<string, { type?: string; default?: unknown }>
const defaults = Object.fromEntries(Object.entries(schemas).map(([name, { default: fallback }]) => [name, fallback]))

const contract = Compile(Settings)

/** What is faulty is named, and takes its default so that the rest can be checked further. */
function parse(texts: Partial<Record<string, string>>, faults: string[]): Settings {
  const values: Record<string, unknown> = { ...defaults }
  for (const [name, text] of Object.entries(texts)) {
    if (text !== undefined) values[name] = toValue(text, schemas[name]?.type)
  }
  for (const { instancePath, message, params } of contract.Errors(values)) {
    const name = instancePath.slice(1)
    const allowed = 'allowedValues' in params ? `: ${params.allowedValues.join(', ')}` : ''
    faults.push(`${name} ${message}${allowed}`)
    values[name] = defaults[name]
  }
  return values as Settings
}

/** A text that is not written as its type is stays what it is, for the contract to refuse. */
function toValue(text: string, type: string | undefined): string | number | boolean {
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text)
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

function findAbsent(texts: Partial<Record<keyof Settings, string>>): string[] {
  const required = ['FREEDOMPAY_AUTH_ID', 'FREEDOMPAY_SECRET_KEY', 'FREEDOMPAY_PRODUCT_ID'] as const
  return required.filter((name) => texts[name] === undefined).map((name) => `${name} is required`)
}

function toConfig(settings: Settings, isSandbox: boolean, env: Environment, faults: string[]): Omit<Config, 'auth'> {
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
    partnerOrigin: isSandbox ? undefined : origin,
    signature: settings.FREEDOMPAY_SIGNATURE ?? region.signature,
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
    readLedger: () => ({ url: settings.LEDGER_URL, retentionMs: settings.LEDGER_RETENTION_HOURS * 3_600_000 }),
    ledgerAccount: settings.LEDGER_ACCOUNT,
    readLedgerKey: toLedgerKeyReader(settings, env, faults),
    readPreviousLedgerKey: () => readText(env, 'LEDGER_PREVIOUS_KEY'),
    callerRatePerMinute: settings.CALLER_RATE_PER_MINUTE,
    needsIdempotencyKey: settings.IDEMPOTENCY_KEY === 'required',
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

/** A ledger that outlives the process needs a key that does, too. */
function toLedgerKeyReader(settings: Settings, env: Environment, faults: string[]): () => string | undefined {
  const { LEDGER_KEY: key, LEDGER_PREVIOUS_KEY: previousKey, LEDGER_URL: url } = settings
  if (url === 'memory:' && env.NODE_ENV === 'production' && !readText(env, 'LEDGER_URL')) {
    faults.push('LEDGER_URL is required in production')
  }
  if (!isReadableLedgerUrl(url)) faults.push('LEDGER_URL is no URL that can be read')
  if (url.startsWith('sqlite:/') && !existsSync(dirname(url.slice('sqlite:'.length)))) {
    faults.push('LEDGER_URL names a file in a folder that does not exist')
  }
  if (key === undefined && url !== 'memory:') faults.push('LEDGER_KEY is required with this LEDGER_URL')
  for (const [name, text] of Object.entries({ LEDGER_KEY: key, LEDGER_PREVIOUS_KEY: previousKey })) {
    if (text !== undefined && Buffer.byteLength(text) < minLedgerKeyBytes) {
      faults.push(`${name} must have at least ${minLedgerKeyBytes} bytes`)
    }
  }
  return () => readText(env, 'LEDGER_KEY')
}

function isReadableLedgerUrl(url: string): boolean {
  if (url.startsWith('sqlite:')) return true
  return /^postgres(ql)?:/.test(url) ? splitHosts(url) !== undefined : URL.parse(url) !== null
}

function toOrigin(text: string, faults: string[]): string {
  const url = URL.parse(text)
  const isOrigin = url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`
  if (!isOrigin) faults.push('FREEDOMPAY_BASE_URL must be an http(s) origin without a path, such as https://host:port')
  return url?.origin ?? ''
}

function toCollector(text: string | undefined, faults: string[]): string | undefined {
  if (text !== undefined && !/^https?:$/.test(URL.parse(text)?.protocol ?? '')) {
    faults.push('OTEL_EXPORTER_OTLP_ENDPOINT must be an http(s) address, such as http://collector:4318')
  }
  return text
}

function toList(text = ''): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

function toIntegers(text: string | undefined, faults: string[]): number[] {
  const items = toList(text)
  if (!items.every((item) => /^\d{1,9}$/.test(item))) {
    faults.push('FREEDOMPAY_ALLOWED_PRODUCT_IDS must be a comma-separated list of integers')
  }
  return items.map(Number)
}

function toMembers(text: string, faults: string[]): Member[] {
  const items = toList(text)
  const unknown = items.filter((item) => !(members as string[]).includes(item))
  if (unknown.length > 0) {
    faults.push(`FREEDOMPAY_REQUIRED must be a comma-separated list of members of the body: ${members.join(', ')}`)
  }
  return items as Member[]
}

const namedNetworks = ['loopback', 'linklocal', 'uniquelocal']

/** false · a number of hops · a comma-separated list of addresses, networks or their names. */
function toTrustProxy(text: string, faults: string[]): false | number | string {
  if (text === 'false') return false
  if (/^\d{1,3}$/.test(text)) return Number(text)
  const isNetwork = (item: string) => {
    const [address = '', prefix, ...rest] = item.split('/')
    const bits = isIP(address) === 4 ? 32 : 128
    const isPrefix = prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= bits)
    return isIP(address) !== 0 && isPrefix && rest.length === 0
  }
  const items = toList(text)
  if (items.length === 0 || !items.every((item) => namedNetworks.includes(item) || isNetwork(item))) {
    faults.push('TRUST_PROXY must be false, a number of hops, or comma-separated addresses or networks')
  }
  return items.join(',')
}
