/** The connections to PostgreSQL: every call is answered or fails in time, and a host that no longer serves is replaced. */
import { Socket } from 'node:net'
import { Client, type ClientBase, type ClientConfig, type Pool, type PoolClient, type QueryResult } from 'pg'
import type { Logger } from 'pino'
import { connectTimeoutMs, findWritable, type ServerPromises, warnOfLosses } from './postgres-hosts.ts'
import { isFull, isLost, openPool } from './postgres-pool.ts'
import { isMigrated, migrate, steps } from './postgres-schema.ts'
import type { Statement } from './postgres-statements.ts'
import { splitHosts } from './postgres-url.ts'
import { limitTime } from './time-limit.ts'

/** A ledger that takes longer is as good as unreachable. */
const callTimeoutMs = 2000
/** The server's own limit, which ends the wait for a lock with an answer instead of with a lost connection. */
const statementTimeoutMs = 1500
/** After a look at all hosts was in vain, until the next: a create must not make a connection each. */
const pauseAfterFailureMs = 100
/** For steps of the schema, which no call waits for. */
const migrationTimeoutMs = 600_000

interface Postgres {
  /** @throws where there is no answer in time */
  run<Row>(statement: Statement, values: unknown[]): Promise<QueryResult<Row & object>>
  close(): Promise<void>
}

/** The host that is used now. */
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
        if (warned.has(client)) throw new Error('the ledger’s PostgreSQL has written, but warns')
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

/** Looks for the host that takes writes whenever there is none. */
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

  /** Never again the same connections: the next call looks at all hosts. What is under way ends by itself. */
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
      // A server that stands still never answers a farewell.
      for (const socket of sockets) socket.destroySoon()
    },
  }
}

/** Says once that the ledger is away, and once that it is back. */
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
