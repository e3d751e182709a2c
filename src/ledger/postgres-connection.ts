/** The connections to PostgreSQL. Every call ends within a time limit, and a failed host is replaced. */
import { Socket } from 'node:net'
import { Client, type ClientBase, type ClientConfig, type Pool, type PoolClient, type QueryResult } from 'pg'
import type { Logger } from 'pino'
import { connectTimeoutMs, findWritable, type ServerPromises, warnOfLosses } from './postgres-hosts.ts'
import { isFull, isLost, openPool } from './postgres-pool.ts'
import { isMigrated, migrate, steps } from './postgres-schema.ts'
import type { Statement } from './postgres-statements.ts'
import { splitHosts } from './postgres-url.ts'
import { limitTime } from './time-limit.ts'

/** A ledger that takes longer counts as unreachable. */
const callTimeoutMs = 2000
/** The server's limit is shorter than ours: a wait for a lock then ends with an error, not with a lost connection. */
const statementTimeoutMs = 1500
/** The pause after a failed search of all hosts, so that not every create opens connections to all hosts. */
const pauseAfterFailureMs = 100
/** The time limit of a schema migration. */
const migrationTimeoutMs = 600_000

interface Postgres {
  /** @throws if the answer does not come in time */
  run<Row>(statement: Statement, values: unknown[]): Promise<QueryResult<Row & object>>
  close(): Promise<void>
}

/** The host in use. */
interface Home {
  readonly config: ClientConfig
  readonly pool: Pool
}

export function openPostgresConnection(url: string, log: Logger, toSteps = steps): Postgres {
  const warned = new WeakSet<ClientBase>()
  const { findHome, leave, close } = keepHome(url, log, toSteps, warned)

  async function take(from: Home): Promise<PoolClient> {
    try {
      return await from.pool.connect()
    } catch (error) {
      if (!isFull(from.pool, error)) leave(from, error)
      throw error
    }
  }

  async function run<Row>({ name, text }: Statement, values: unknown[]): Promise<QueryResult<Row & object>> {
    let holding: { from: Home; client: PoolClient } | undefined
    let isLate = false

    function release(error?: Error): void {
      if (holding === undefined) return
      const { client, from } = holding
      holding = undefined
      if (error === undefined || !isLost(error)) {
        client.release()
        return
      }
      client.release(error)
      leave(from, error)
    }

    async function ask(): Promise<QueryResult<Row & object>> {
      const from = await findHome()
      const client = await take(from)
      holding = { from, client }
      if (isLate) {
        release()
        throw new Error('the connection to the ledger came too late')
      }
      try {
        const result = await client.query<Row & object>({ name, text, values })
        if (warned.has(client)) throw new Error('the ledger’s PostgreSQL committed without its standby')
        release()
        return result
      } catch (error) {
        release(error as Error)
        throw error
      }
    }

    return await limitTime(ask(), callTimeoutMs, (error) => {
      isLate = true
      release(error)
    })
  }

  return { run, close }
}

/** Remembers the host that takes writes, and searches all hosts if there is none. */
function keepHome(url: string, log: Logger, toSteps: readonly string[], warned: WeakSet<ClientBase>) {
  const sockets = new Set<Socket>()
  const configs = toConfigs(url, sockets)
  const { noteDown, noteUp } = noteChanges(log)
  let home: Home | undefined
  let finding: Promise<Home> | undefined
  let lastFailed: ClientConfig | undefined
  let isClosed = false

  function moveTo(config: ClientConfig, promises: ServerPromises): Home {
    if (isClosed) throw new ClosedError()
    const found = { config, pool: openPool(config, warned) }
    found.pool.on('error', (error) => leave(found, error))
    noteUp()
    warnOfLosses(promises, log)
    home = found
    return found
  }

  /** Gives up the connections to this host: the next call searches all hosts. Running calls end by themselves. */
  function leave(left: Home, cause: unknown): void {
    if (home !== left) return
    noteDown(cause)
    home = undefined
    lastFailed = left.config
    void left.pool.end()
  }

  function findHome(): Home | Promise<Home> {
    if (isClosed) throw new ClosedError()
    if (home !== undefined) return home
    finding ??= search()
    return finding
  }

  async function search(): Promise<Home> {
    try {
      const found = await findWritable(configs, lastFailed, async (config, client, promises) => {
        if (!isClosed && !(await isMigrated(client, toSteps))) await migrateAt(config, toSteps)
        return moveTo(config, promises)
      })
      finding = undefined
      return found
    } catch (error) {
      if (!isClosed) noteDown(error)
      setTimeout(() => {
        finding = undefined
      }, pauseAfterFailureMs).unref()
      throw error
    }
  }

  return {
    findHome,
    leave,
    async close(): Promise<void> {
      isClosed = true
      const last = home
      home = undefined
      await last?.pool.end()
      // A server that hangs does not close its side of the connection.
      for (const socket of sockets) socket.destroySoon()
    },
  }
}

/** Logs one line when the ledger becomes unreachable, and one line when the ledger can be reached again. */
function noteChanges(log: Logger) {
  let isDown = false
  return {
    noteDown(err: unknown): void {
      if (!isDown) log.error({ err }, 'the ledger cannot be reached')
      isDown = true
    },
    noteUp(): void {
      if (isDown) log.info('the ledger can be reached again')
      isDown = false
    },
  }
}

function toConfigs(url: string, sockets: Set<Socket>): readonly ClientConfig[] {
  return (splitHosts(url) ?? []).map((connectionString) => ({
    connectionString,
    application_name: 'freedompay-clients',
    statement_timeout: statementTimeoutMs,
    keepAlive: true,
    stream: () => openSocket(sockets),
  }))
}

function openSocket(sockets: Set<Socket>): Socket {
  const socket = new Socket()
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
  return socket
}

class ClosedError extends Error {
  constructor() {
    super('the ledger is closed')
    this.name = 'ClosedError'
  }
}

async function migrateAt(config: ClientConfig, toSteps: readonly string[]): Promise<void> {
  const client = new Client({
    ...config,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: migrationTimeoutMs,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await migrate(client, toSteps)
  } finally {
    void client.end().catch(() => undefined)
  }
}
