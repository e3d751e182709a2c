/** Remembers the host that takes writes, and searches all hosts if there is none. */
import { Socket } from 'node:net'
import type { ClientBase, ClientConfig, Pool } from 'pg'
import type { Logger } from 'pino'
import { findWritable, type ServerPromises, warnOfLosses } from './postgres-hosts.ts'
import type { OwnLedger } from './postgres-identity.ts'
import { openPool } from './postgres-pool.ts'
import { isMigrated, migrateAt } from './postgres-schema.ts'
import { splitHosts } from './postgres-url.ts'
import { logReachability, type Reachability } from './reachability.ts'

/** The server's limit is shorter than ours: a wait for a lock then ends with an error, not with a lost connection. */
const statementTimeoutMs = 1500
/** The pause after a failed search of all hosts, so that not every create opens connections to all hosts. */
const pauseAfterFailureMs = 100

/** The host in use. */
export interface Home {
  readonly config: ClientConfig
  readonly pool: Pool
}

export interface PostgresHomesParts {
  readonly url: string
  readonly log: Logger
  /** The steps of the schema. */
  readonly toSteps: readonly string[]
  /** Gets the connections whose server has warned of a commit without its standby. */
  readonly warned: WeakSet<ClientBase>
  readonly own: OwnLedger
}

export class PostgresHomes {
  private readonly parts: PostgresHomesParts
  private readonly sockets = new Set<Socket>()
  private readonly configs: readonly ClientConfig[]
  private readonly reachability: Reachability
  private home: Home | undefined
  private finding: Promise<Home> | undefined
  private lastFailed: ClientConfig | undefined
  private isClosed = false

  constructor(parts: PostgresHomesParts) {
    this.parts = parts
    this.configs = toConfigs(parts.url, this.sockets)
    this.reachability = logReachability(parts.log)
  }

  /** @throws if the ledger is closed, or if no host takes writes */
  find(): Home | Promise<Home> {
    if (this.isClosed) throw new ClosedError()
    if (this.home !== undefined) return this.home
    this.finding ??= this.search()
    return this.finding
  }

  /** Gives up the connections to this host: the next call searches all hosts. Running calls end by themselves. */
  leave(left: Home, cause: unknown): void {
    if (this.home !== left) return
    this.reachability.noteDown(cause)
    this.home = undefined
    this.lastFailed = left.config
    void left.pool.end()
  }

  async close(): Promise<void> {
    this.isClosed = true
    const last = this.home
    this.home = undefined
    await last?.pool.end()
    // A server that hangs does not close its side of the connection.
    for (const socket of this.sockets) socket.destroySoon()
  }

  private async search(): Promise<Home> {
    const { toSteps, own, log } = this.parts
    try {
      const found = await findWritable(this.configs, this.lastFailed, own, async (config, client, promises) => {
        if (!this.isClosed && !(await isMigrated(client, toSteps))) await migrateAt(config, toSteps, log)
        return this.moveTo(config, promises)
      })
      this.finding = undefined
      return found
    } catch (error) {
      if (!this.isClosed) this.reachability.noteDown(error)
      setTimeout(() => {
        this.finding = undefined
      }, pauseAfterFailureMs).unref()
      throw error
    }
  }

  private moveTo(config: ClientConfig, promises: ServerPromises): Home {
    if (this.isClosed) throw new ClosedError()
    const { log, warned, own } = this.parts
    const found = { config, pool: openPool(config, warned, own) }
    this.reachability.noteUp()
    warnOfLosses(promises, log)
    this.home = found
    return found
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
