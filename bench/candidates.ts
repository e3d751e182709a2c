/** Who is measured, and how each is started. */
import { type AuthKind, prepareAuth } from './callers.ts'
import { type LedgerKind, type PreparedLedger, prepareLedger, whyNoLedger } from './ledgers.ts'
import { findFreePorts } from './ports.ts'
import { type MeasuredProcess, startProcess } from './process.ts'

export type CandidateName =
  | 'floor'
  | 'service'
  | 'service-key-memory'
  | 'service-key-sqlite'
  | 'service-key-sqlite-normal'
  | 'service-key-redis'
  | 'service-key-postgres'
  | 'service-api-key'
  | 'service-jwt'
  | 'express'
  | 'nest'
  | 'http-proxy'

export interface Candidate {
  readonly name: CandidateName
  readonly title: string
  /** It parses, injects, signs, adds, asks for the status and answers. */
  readonly doesTheJob: boolean
  readonly validates: boolean
  /** A fresh Idempotency-Key goes with each request. */
  readonly keyed: boolean
  readonly entry: string
  /** Where the service keeps its ledger. */
  readonly ledger?: LedgerKind
  readonly auth?: AuthKind
  readonly env?: Record<string, string>
  /** A variant that only its difference from the others is asked about, with the typical body. */
  readonly isVariant?: boolean
}

export const candidates: readonly Candidate[] = [
  {
    name: 'floor',
    title: 'floor: node:http + undici',
    doesTheJob: true,
    validates: false,
    keyed: false,
    entry: 'candidates/floor.ts',
  },
  buildService('service', 'this service', 'memory', false),
  buildService('service-key-memory', 'this service, key, memory', 'memory', true),
  buildService('service-key-sqlite', 'this service, key, SQLite file', 'sqlite', true),
  {
    ...buildService('service-key-sqlite-normal', 'this service, key, SQLite not synced', 'sqlite', true),
    env: { BENCH_SQLITE_SYNCHRONOUS: 'NORMAL' },
    isVariant: true,
  },
  buildService('service-key-redis', 'this service, key, Redis', 'redis', true),
  { ...buildService('service-key-postgres', 'this service, key, PostgreSQL', 'postgres', true), isVariant: true },
  {
    ...buildService('service-api-key', 'this service, AUTH=api-key', 'memory', false),
    auth: 'api-key',
    isVariant: true,
  },
  { ...buildService('service-jwt', 'this service, AUTH=jwt', 'memory', false), auth: 'jwt', isVariant: true },
  {
    name: 'express',
    title: 'Express 5 + axios + ajv',
    doesTheJob: true,
    validates: true,
    keyed: false,
    entry: 'candidates/express.mjs',
  },
  {
    name: 'nest',
    title: 'NestJS (Fastify) + axios',
    doesTheJob: true,
    validates: true,
    keyed: false,
    entry: 'candidates/nest.mjs',
  },
  {
    name: 'http-proxy',
    title: '@fastify/http-proxy *',
    doesTheJob: false,
    validates: false,
    keyed: false,
    entry: 'candidates/http-proxy.mjs',
  },
]

function buildService(name: CandidateName, title: string, ledger: LedgerKind, keyed: boolean): Candidate {
  return { name, title, doesTheJob: true, validates: true, keyed, entry: '../src/main.ts', ledger }
}

export const credentials = { authId: '123456', secretKey: 'a-secret-key-of-the-bench-of-forty-bytes' }
export const productId = 1000

export interface StartedCandidate extends MeasuredProcess {
  readonly url: string
  /** The operations listener, where there is one. */
  readonly opsUrl: string | undefined
  /** Where its ledger lies on the disk, if it does. */
  readonly ledgerFile: string | undefined
  /** What its callers must show. */
  readonly authorization: string | undefined
}

export interface StartOptions {
  readonly preloaded?: boolean
  /** One that others use as well, and that is not removed here; one of its own by default. */
  readonly sharedLedger?: PreparedLedger
}

/** Why this candidate cannot run here; undefined when it can. */
export function whySkipped(candidate: Candidate): string | undefined {
  return whyNoLedger(candidate.ledger)
}

export async function startCandidate(
  candidate: Candidate,
  partnerUrl: string,
  { preloaded = true, sharedLedger }: StartOptions = {},
): Promise<StartedCandidate> {
  const [port, opsPort] = await findFreePorts()
  const url = `http://127.0.0.1:${port}`
  const opsUrl = candidate.ledger === undefined ? undefined : `http://127.0.0.1:${opsPort}`
  const own = candidate.ledger === undefined || sharedLedger ? undefined : await prepareLedger(candidate.ledger)
  const ledger = sharedLedger ?? own
  const auth = await prepareAuth(candidate.auth ?? 'none')

  async function remove(): Promise<void> {
    await auth.remove()
    await own?.remove()
  }

  try {
    const measured = await startProcess({
      name: candidate.name,
      entry: new URL(candidate.entry, import.meta.url),
      env: {
        HOST: '127.0.0.1',
        PORT: String(port),
        OPS_PORT: String(opsPort),
        LOG_LEVEL: 'info',
        FREEDOMPAY_BASE_URL: partnerUrl,
        FREEDOMPAY_AUTH_ID: credentials.authId,
        FREEDOMPAY_SECRET_KEY: credentials.secretKey,
        FREEDOMPAY_PRODUCT_ID: String(productId),
        PARTNER_MAX_IN_FLIGHT: '512',
        ...auth.env,
        ...ledger?.env,
        ...candidate.env,
      },
      readyUrl: opsUrl === undefined ? url : `${opsUrl}/readyz`,
      anyAnswer: opsUrl === undefined,
      preloaded,
    })
    return {
      ...measured,
      url,
      opsUrl,
      ledgerFile: ledger?.file,
      authorization: auth.authorization,
      stop: async () => {
        await measured.stop()
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}
