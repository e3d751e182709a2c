/**
 * Creates card clients by way of freedompay-clients: one intent in, one outcome out. It makes the idempotency key, keeps it through
 * every retry, waits as the service asks, follows an open outcome to its end, and never throws for an outcome.
 * No dependency; Node 24 and later run it as it is.
 */
import type { components } from './openapi.ts'

type Schemas = components['schemas']
export type CreateClient = Schemas['CreateClient']
export type ClientRequest = Schemas['ClientRequest']
export type InputError = Schemas['InputError']
export type PartnerReason = Schemas['PartnerReason']

export type Outcome =
  | { readonly status: 'created'; readonly requestId: string; readonly clientId?: string | undefined }
  | { readonly status: 'rejected'; readonly requestId: string; readonly partner?: PartnerReason | undefined }
  /** The request breaks the contract, or the caller may not send it: `why` is the problem's code. Nothing was created. */
  | { readonly status: 'invalid'; readonly errors: readonly InputError[]; readonly why: string }
  /** The time is up. Call again with this key, now or later: at most one client is created. */
  | {
      readonly status: 'unresolved'
      readonly requestId?: string | undefined
      readonly key: string
      readonly why: string
    }

export interface ConnectOptions {
  /** Where the service is, e.g. `http://freedompay-clients:3000`; a path in it is kept. */
  readonly baseUrl: string
  /** Sent with every request, e.g. the credential. A function is asked before each one. */
  readonly headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>)
  /** Instead of the global one, e.g. with a proxy. */
  readonly fetch?: typeof fetch
}

export interface CreateOptions {
  /** Names the intent; made where none is given. Keep it with your order, so that a restart can go on with it. */
  readonly key?: string
  /** Ends the wait, not the create: the outcome is then `unresolved`. */
  readonly signal?: AbortSignal
  /** For everything together; 60 s by default. */
  readonly timeoutMs?: number
}

export interface Clients {
  create(body: CreateClient, options?: CreateOptions): Promise<Outcome>
  /** What is known of an earlier create; undefined where the service knows no such request of yours. @throws Error where the service cannot be asked */
  read(requestId: string, signal?: AbortSignal): Promise<ClientRequest | undefined>
}

const defaultTimeoutMs = 60_000
/** One request: more than the service's own deadline of 25 s. */
const attemptTimeoutMs = 30_000
const [firstPauseMs, longestPauseMs] = [200, 5_000]

interface Reply {
  readonly status: number
  readonly body: Partial<Record<string, unknown>>
  readonly retryAfterMs: number | undefined
}

export function connect({ baseUrl, headers = {}, fetch: send = fetch }: ConnectOptions): Clients {
  const base = baseUrl.replace(/\/+$/, '')

  async function call(path: string, init: RequestInit, signal: AbortSignal): Promise<Reply> {
    const own = typeof headers === 'function' ? await headers() : headers
    const answer = await send(`${base}${path}`, {
      ...init,
      headers: { ...own, ...init.headers },
      signal,
      redirect: 'error',
    })
    const text = await answer.text()
    const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN)
    return { status: answer.status, body: parse(text), retryAfterMs: seconds >= 0 ? seconds * 1000 : undefined }
  }

  async function create(body: CreateClient, options: CreateOptions = {}): Promise<Outcome> {
    const key = options.key ?? crypto.randomUUID()
    const { timeoutMs = defaultTimeoutMs, signal } = options
    const timeUp = AbortSignal.timeout(timeoutMs)
    const end = signal === undefined ? timeUp : AbortSignal.any([signal, timeUp])
    const init: RequestInit = {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(body),
    }
    let requestId: string | undefined
    let why = 'no answer yet'
    for (let failures = 0; !end.aborted; ) {
      let pauseMs = backOff(failures)
      try {
        const reply = await call('/clients', init, AbortSignal.any([end, AbortSignal.timeout(attemptTimeoutMs)]))
        const verdict = judge(reply)
        if (typeof verdict === 'object') return verdict
        why = verdict
        requestId = readText(reply.body.requestId) ?? requestId
        // The same key is the same question: asking again creates nothing.
        failures = reply.status === 202 ? 0 : failures + 1
        pauseMs = Math.max(reply.retryAfterMs ?? 0, backOff(failures))
      } catch (fault) {
        if (!end.aborted) why = describe(fault)
        failures += 1
      }
      await pause(pauseMs, end)
    }
    return { status: 'unresolved', requestId, key, why: signal?.aborted ? `given up by the caller; last: ${why}` : why }
  }

  return {
    create,
    async read(requestId, signal) {
      const timeUp = AbortSignal.timeout(attemptTimeoutMs)
      const end = signal === undefined ? timeUp : AbortSignal.any([signal, timeUp])
      const { status, body } = await call(`/clients/requests/${encodeURIComponent(requestId)}`, {}, end)
      if (status === 200) return body as ClientRequest
      if (status === 404 && body.code === 'not-found') return undefined
      throw new Error(`the service answered ${status} ${readText(body.code) ?? ''}`)
    },
  }
}

/** The outcome, or why there is none yet. An answer of a gateway in between, which has no code, says nothing of the create. */
function judge({ status, body }: Reply): Outcome | string {
  const requestId = readText(body.requestId)
  const code = readText(body.code)
  if (status === 201 && body.status === 'created' && requestId !== undefined) {
    return { status: 'created', requestId, clientId: readText(body.clientId) }
  }
  if (status === 202) return readText(body.status) ?? 'not final yet'
  if (code === 'partner-rejected' && requestId !== undefined) {
    return { status: 'rejected', requestId, partner: body.partner as PartnerReason | undefined }
  }
  if (code !== undefined && body.safeToRetry === 'no') {
    return { status: 'invalid', errors: Array.isArray(body.errors) ? body.errors : [], why: code }
  }
  return code ?? `HTTP ${status}`
}

function parse(text: string): Reply['body'] {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Reply['body']) : {}
  } catch {
    return {}
  }
}

function readText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Doubled with each failure in a row, with jitter, so that many callers do not come back together. */
function backOff(failures: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** failures) * (0.5 + Math.random() / 2)
}

function describe(fault: unknown): string {
  const { name, cause } = fault as { name?: string; cause?: { code?: unknown } }
  return `no answer: ${readText(cause?.code) ?? name ?? 'fault'}`
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const finish = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, ms)
    signal.addEventListener('abort', finish)
  })
}
