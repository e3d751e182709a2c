/** The connections to PostgreSQL: every call is answered or fails in time, and a host that no longer serves is replaced. */
import { Socket } from 'node:net'
import { Client, type ClientBase, type ClientConfig, Pool, type PoolClient, type QueryResult } from 'pg'
import type { Logger } from 'pino'
import { checkWritable, connectTimeoutMs, findWritable, type ServerPromises } from './postgres-hosts.ts'
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
const idleTimeoutMs = 60_000
const maxConnections = 16

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
  const sockets = new Set<Socket>()
  const configs = (splitHosts(url) ?? []).map((connectionString) => ({
    connectionString,
    application_name: 'freedompay-clients',
    statement_timeout: statementTimeoutMs,
    keepAlive: true,
    stream: () => openSocket(sockets),
  }))
  const warned = new WeakSet<ClientBase>()
  let home: Home | undefined
  let finding: Promise<Home> | undefined
  let lastFailed: ClientConfig | undefined
  let isDown = false
  let isClosed = false

  function noteDown(err: unknown): void {
    if (!isDown && !isClosed) log.error({ err }, 'the ledger cannot be reached')
    isDown = true
  }

  function moveTo(config: ClientConfig, promises: ServerPromises): Home {
    if (isClosed) throw new ClosedError()
    const pool = openPool(config, warned)
    const found = { config, pool }
    pool.on('error', (error) => leave(found, error))
    if (isDown) log.info('the ledger can be reached again')
    isDown = false
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
    if (finding === undefined) {
      const search = findWritable(configs, lastFailed, async (config, client, promises) => {
        if (!isClosed && !(await isMigrated(client, toSteps))) await migrateAt(config, toSteps)
        return moveTo(config, promises)
      })
      finding = search
      search.then(
        () => {
          finding = undefined
        },
        (error) => {
          noteDown(error)
          setTimeout(() => {
            finding = undefined
          }, pauseAfterFailureMs).unref()
        },
      )
    }
    return finding
  }

  async function take(from: Home): Promise<PoolClient> {
    try {
      return await from.pool.connect()
    } catch (error) {
      const isFull = from.pool.totalCount >= maxConnections || codeOf(error) === tooManyConnections
      if (!isFull) leave(from, error)
      throw error
    }
  }

  async function run<Row>(statement: Statement, values: unknown[]): Promise<QueryResult<Row & object>> {
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
      if (isLate) release()
      try {
        const result = await client.query<Row & object>({ name: statement.name, text: statement.text, values })
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

  return {
    run,
    async close() {
      isClosed = true
      const last = home
      home = undefined
      await last?.pool.end()
      // A server that stands still never answers a farewell.
      for (const socket of sockets) socket.destroySoon()
    },
  }
}

class ClosedError extends Error {
  constructor() {
    super('the ledger is closed')
    this.name = 'ClosedError'
  }
}

const tooManyConnections = '53300'
/** So PostgreSQL says that it gave up the wait for a standby, because an operator cancelled it, and calls the commit done. */
const plainWarning = '01000'

function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}

/**
 * Whether the connection is of no more use: every fault that is not the server's word on the statement, and of the server's
 * words: read-only, shut down, a lost connection, and a table that is not there, so that the schema is looked at anew.
 */
function isLost(error: unknown): boolean {
  const code = codeOf(error)
  return code === undefined || !/^[0-9A-Z]{5}$/.test(code) || /^(25006|57P0.|08...|42P01|XX...)$/.test(code)
}

function openSocket(sockets: Set<Socket>): Socket {
  const socket = new Socket()
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
  return socket
}

function openPool(config: ClientConfig, warned: WeakSet<ClientBase>): Pool {
  const pool = new Pool({
    ...config,
    max: maxConnections,
    idleTimeoutMillis: idleTimeoutMs,
    connectionTimeoutMillis: connectTimeoutMs,
    // The same name may lead to a standby by now, which would answer questions with what is old.
    onConnect: async (client) => {
      await limitTime(checkWritable(client), connectTimeoutMs, () => undefined)
    },
  })
  // While a connection is in use its faults are told by the query; without a listener they would end the process.
  pool.on('connect', (client) => {
    client.on('error', () => undefined)
    client.on('notice', ({ code }) => {
      if (code === plainWarning) warned.add(client)
    })
  })
  return pool
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

/** A PostgreSQL that forgets is no ledger. */
function warnOfLosses(
  { fsync, synchronous_commit: commit, synchronous_standby_names: names }: ServerPromises,
  log: Logger,
) {
  if (fsync !== 'on') log.warn('the ledger’s PostgreSQL has fsync off: a crash of its machine forgets claims')
  if (commit === 'off') {
    log.warn('the ledger’s PostgreSQL has synchronous_commit off: a crash forgets claims; set it on')
  } else if (names === '' || commit === 'local') {
    log.info('the ledger’s PostgreSQL waits for no standby: a failover forgets the latest claims')
  }
}
