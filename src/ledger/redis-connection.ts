/** The connection to Redis: every command is answered or fails in time, and a connection that no longer serves is replaced. */
import type { Logger } from 'pino'
import { createClient, type RedisScripts } from 'redis'

/** A ledger that takes longer is as good as unreachable. */
const commandTimeoutMs = 2000
const longestReconnectPauseMs = 1000
/** Nothing at all on a connection, not even the reconciler's questions, which come all the time: it is dead. */
const longestSilenceMs = 30_000

export function openRedisConnection<Scripts extends RedisScripts>(url: string, scripts: Scripts, log: Logger) {
  const client = createClient({
    url,
    scripts,
    // While Redis is away every command fails at once, instead of waiting in a queue for a caller that may be gone.
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
  const { promise: firstTry, resolve: noteFirstTry } = Promise.withResolvers<void>()
  client.on('error', (err) => {
    noteDown(err)
    noteFirstTry()
  })
  client.on('ready', () => {
    if (isDown) log.info('the ledger can be reached again')
    isDown = false
    noteFirstTry()
    void warnOfLosses(client, log)
  })

  /** Goes on trying in the background; until it succeeds every command fails and readiness says so. */
  function connect(): void {
    void client.connect().catch(() => undefined)
  }

  function reconnect(cause: unknown): void {
    if (isClosed || !client.isReady) return
    noteDown(cause)
    client.destroy()
    connect()
  }

  /** The client's own time-out ends with the writing of a command; a server that stands still would be waited for without end. */
  async function answered<T>(reply: Promise<T>): Promise<T> {
    const { promise: tooLate, reject } = Promise.withResolvers<never>()
    let isOver = false
    function giveUp(): void {
      if (isOver) return
      const error = new Error(`no answer from the ledger within ${commandTimeoutMs} ms`)
      reject(error)
      // Nothing says that this connection will ever come back to life.
      reconnect(error)
    }
    // Where it was this process that stood still, the answer is there, and is read before the immediate's turn comes.
    const timer = setTimeout(() => setImmediate(giveUp), commandTimeoutMs)
    try {
      return await Promise.race([reply, tooLate])
    } catch (error) {
      // Demoted to a replica: the name may already lead to the new primary, this connection never will.
      if (error instanceof Error && error.message.startsWith('READONLY')) reconnect(error)
      throw error
    } finally {
      isOver = true
      clearTimeout(timer)
    }
  }

  connect()
  return {
    client,
    answered,
    /** Resolves when the first try to connect has ended, well or not. */
    firstTry,
    async close() {
      isClosed = true
      if (client.isReady) await answered(client.close()).catch(() => undefined)
      client.destroy()
    },
  }
}

interface Inspectable {
  info(section: string): Promise<unknown>
}

/** A Redis that forgets is no ledger. Hosted ones forbid CONFIG, so INFO has to do. */
async function warnOfLosses(client: Inspectable, log: Logger): Promise<void> {
  try {
    const info = `${await client.info('persistence')}\n${await client.info('memory')}`
    if (!/^aof_enabled:1/m.test(info)) {
      log.warn('the ledger’s Redis has no append-only file: a crash of Redis forgets claims; set appendonly yes')
    }
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
    if (policy !== undefined && policy !== 'noeviction') {
      log.warn({ policy }, 'the ledger’s Redis evicts rows when it is full; set maxmemory-policy noeviction')
    }
  } catch (err) {
    log.debug({ err }, 'the ledger’s Redis cannot be inspected')
  }
}
