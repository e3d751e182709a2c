/**
 * The shared ledger: several replicas on one Redis or Valkey (7 or later). It needs persistence (appendonly) and
 * `maxmemory-policy noeviction`: a row that is evicted is a claim that is forgotten.
 */
import type { Logger } from 'pino'
import { createClient, defineScript } from 'redis'
import type { Change, Claim, Ledger, Row, State } from './ledger.ts'
import { claimScript, postponeScript, recordScript, takeDueScript, unresolvedScript } from './redis-scripts.ts'

export interface RedisLedgerSettings {
  readonly url: string
  readonly retentionMs: number
  readonly log: Logger
}

/** The braces are a hash tag: a cluster keeps all of these keys on one node. */
const prefix = '{freedompay-clients}:'
const rowPrefix = `${prefix}request:`
const toAskKey = `${prefix}to-ask`
const unresolvedKey = `${prefix}unresolved`

/** A ledger that takes longer is as good as unreachable. */
const commandTimeoutMs = 2000
const longestReconnectPauseMs = 1000
/** Nothing at all on a connection, not even the questions of the reconciler, which come all the time: it is dead. */
const longestSilenceMs = 30_000

/** What a script returns: whether it did something, the server's clock, the row as a flat list of fields and values. */
type ScriptReply = [done: number, now: string, fields: string[]]

function script(lua: string) {
  return defineScript({
    SCRIPT: lua,
    NUMBER_OF_KEYS: 3,
    parseCommand(parser, requestId: string, ...args: string[]) {
      parser.pushKeys([rowPrefix + requestId, toAskKey, unresolvedKey])
      parser.push(...args)
    },
    transformReply: (reply: unknown) => reply,
  })
}

const scripts = {
  claim: script(claimScript),
  record: script(recordScript),
  takeDue: script(takeDueScript),
  postpone: script(postponeScript),
  unresolved: script(unresolvedScript),
}

export function openRedisLedger({ url, retentionMs, log }: RedisLedgerSettings): Ledger {
  const client = createClient({
    url,
    scripts,
    // While it is away every command fails at once, instead of waiting in a queue for a caller that may be gone.
    disableOfflineQueue: true,
    commandOptions: { timeout: commandTimeoutMs },
    socket: {
      connectTimeout: commandTimeoutMs,
      socketTimeout: longestSilenceMs,
      reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, longestReconnectPauseMs),
    },
  })
  let isDown = false
  let isClosed = false
  const noteDown = (err: unknown) => {
    if (!isDown) log.error({ err }, 'the ledger cannot be reached')
    isDown = true
  }
  client.on('error', noteDown)
  client.on('ready', () => {
    if (isDown) log.info('the ledger can be reached again')
    isDown = false
  })

  /** Goes on trying in the background; until it succeeds every command fails and readiness says so. */
  function connect(): void {
    void client.connect().catch(() => undefined)
  }

  /** The client's own time-out ends with the writing of a command; a server that stands still would be waited for without end. */
  async function answered<T>(reply: Promise<T>): Promise<T> {
    const { promise: tooLate, reject } = Promise.withResolvers<never>()
    let isOver = false
    function giveUp(): void {
      if (isOver) return
      const error = new Error(`no answer from the ledger within ${commandTimeoutMs} ms`)
      reject(error)
      if (isClosed || !client.isReady) return
      // Nothing says that this connection will ever come back to life.
      noteDown(error)
      client.destroy()
      connect()
    }
    // Where it was this process that stood still, the answer is there, and is read before the immediate's turn comes.
    const timer = setTimeout(() => setImmediate(giveUp), commandTimeoutMs)
    try {
      return await Promise.race([reply, tooLate])
    } finally {
      isOver = true
      clearTimeout(timer)
    }
  }

  connect()
  return {
    async claim({ requestId, caller, fingerprint, deadlineMs }: Claim) {
      const reply = await answered(client.claim(requestId, requestId, caller, fingerprint, String(deadlineMs)))
      return { isClaimed: (reply as ScriptReply)[0] === 1, row: toRow(reply) as Row }
    },
    async record(requestId, claims, change: Change) {
      const { state, clientId = '', partnerCode = '', partnerDescription = '' } = change
      const args = [requestId, String(claims), state, clientId, partnerCode, partnerDescription, String(retentionMs)]
      return toRow(await answered(client.record(requestId, ...args)))
    },
    async find(requestId) {
      const fields = await answered(client.hGetAll(rowPrefix + requestId))
      return toRow([0, String(Date.now()), Object.entries(fields).flat()])
    },
    async takeDue(leaseMs) {
      return toRow(await answered(client.takeDue('', String(leaseMs), rowPrefix)))
    },
    async postpone(requestId, claims, pauseMs) {
      await answered(client.postpone(requestId, requestId, String(claims), String(pauseMs)))
    },
    // Redis forgets by itself: a row gets its expiry with its final state.
    async forgetOld() {},
    async unresolved() {
      const [count, oldestMs] = (await answered(client.unresolved(''))) as [number, string]
      return { count, oldestSeconds: Number(oldestMs) / 1000 }
    },
    async ping() {
      await answered(client.ping())
    },
    async close() {
      isClosed = true
      if (client.isReady) await answered(client.close()).catch(() => undefined)
      client.destroy()
    },
  }
}

function toRow(reply: unknown): Row | undefined {
  const [, now, fields] = reply as ScriptReply
  if (fields.length === 0) return undefined
  const stored: Record<string, string> = {}
  for (let i = 0; i < fields.length; i += 2) stored[fields[i] as string] = fields[i + 1] as string
  return {
    requestId: stored.request_id as string,
    caller: stored.caller as string,
    fingerprint: stored.fingerprint as string,
    state: stored.state as State,
    clientId: stored.client_id,
    partnerCode: stored.partner_code,
    partnerDescription: stored.partner_description,
    claims: Number(stored.claims),
    asks: Number(stored.asks),
    updatedAtMs: Number(stored.updated_at),
    isOverdue: Number(stored.deadline_at) <= Number(now),
  }
}
