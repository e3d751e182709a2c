/** The connection to Redis. Every command ends within a time limit, and a dead connection is replaced. */
import type { Logger } from 'pino'
import { createClient, type RedisScripts } from 'redis'
import { logReachability } from './reachability.ts'
import { limitTime } from './time-limit.ts'

/** A ledger that takes longer counts as unreachable. */
const commandTimeoutMs = 2000
const longestReconnectPauseMs = 1000
/** The reconciler sends commands all the time, so a connection without any traffic is dead. */
const longestSilenceMs = 30_000

export function openRedisConnection<Scripts extends RedisScripts>(url: string, scripts: Scripts, log: Logger) {
  const client = buildClient(url, scripts)
  const { noteDown, noteUp } = logReachability(log)
  const { promise: firstEnd, resolve: noteFirstTry } = Promise.withResolvers<void>()
  // A server that takes the connection and says nothing is given up much later.
  const firstTry = limitTime(firstEnd, commandTimeoutMs, noteDown).catch(() => undefined)
  let isClosed = false
  client.on('error', (err) => {
    noteDown(err)
    noteFirstTry()
  })
  client.on('ready', () => {
    noteUp()
    noteFirstTry()
    void warnOfLosses(client, log)
  })

  /** Connects in the background, with retries. Until then every command fails and the service is not ready. */
  function connect(): void {
    void client.connect().catch(() => undefined)
  }

  function reconnect(cause: unknown): void {
    if (isClosed || !client.isReady) return
    noteDown(cause)
    client.destroy()
    connect()
  }

  /** The client's own time-out covers only the write of a command. Without this limit a hung server would never be given up. */
  async function answered<T>(reply: Promise<T>): Promise<T> {
    try {
      // After a time-out the connection may be dead for good, so the connection is replaced.
      return await limitTime(reply, commandTimeoutMs, reconnect)
    } catch (error) {
      // The server is a replica now. The host name may lead to the new primary; this connection never will.
      if (error instanceof Error && error.message.startsWith('READONLY')) reconnect(error)
      throw error
    }
  }

  connect()
  return {
    client,
    answered,
    /** Resolves after the first attempt to connect, also if the attempt failed or takes longer than a command may. */
    firstTry,
    async close() {
      isClosed = true
      noteFirstTry()
      if (client.isReady) await answered(client.close()).catch(() => undefined)
      client.destroy()
    },
  }
}

function buildClient<Scripts extends RedisScripts>(url: string, scripts: Scripts) {
  return createClient({
    url,
    scripts,
    // While Redis is unreachable every command fails at once: in a queue the command could outlive its caller.
    disableOfflineQueue: true,
    commandOptions: { timeout: commandTimeoutMs },
    socket: {
      connectTimeout: commandTimeoutMs,
      socketTimeout: longestSilenceMs,
      reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, longestReconnectPauseMs),
    },
  })
}

interface Inspectable {
  info(section: string): Promise<unknown>
}

/** A Redis that loses rows cannot serve as a ledger. Hosted Redis forbids CONFIG, so INFO is read. */
async function warnOfLosses(client: Inspectable, log: Logger): Promise<void> {
  try {
    const info = `${await client.info('persistence')}\n${await client.info('memory')}`
    if (!/^aof_enabled:1/m.test(info)) {
      log.warn('the ledger’s Redis has no append-only file: a crash of Redis loses claims; set appendonly yes')
    }
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
    if (policy !== undefined && policy !== 'noeviction') {
      log.warn({ policy }, 'the ledger’s Redis evicts rows when its memory is full; set maxmemory-policy noeviction')
    }
  } catch (err) {
    log.debug({ err }, 'the settings of the ledger’s Redis cannot be read')
  }
}
