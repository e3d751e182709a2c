/** The pool of connections to one host of PostgreSQL, and what their faults mean. */
import { type ClientBase, type ClientConfig, DatabaseError, Pool } from 'pg'
import { checkWritable, connectTimeoutMs } from './postgres-hosts.ts'
import { limitTime } from './time-limit.ts'

const idleTimeoutMs = 60_000
const maxConnections = 16
const tooManyConnections = '53300'
/** So PostgreSQL says that it gave up the wait for a standby, because an operator cancelled it, and calls the commit done. */
const plainWarning = '01000'

/**
 * Whether the connection is of no more use: every fault that is not the server's word on the statement, and of the server's
 * words: read-only, shut down, a lost connection, and a table that is not there, so that the schema is looked at anew.
 */
export function isLost(error: unknown): boolean {
  return !(error instanceof DatabaseError) || /^(25006|57P0.|08...|42P01|XX...)$/.test(error.code ?? '')
}

/** No connection was free in time, which says nothing against those that are in use. */
export function isFull(pool: Pool, error: unknown): boolean {
  return pool.totalCount >= maxConnections || (error instanceof DatabaseError && error.code === tooManyConnections)
}

export function openPool(config: ClientConfig, warned: WeakSet<ClientBase>): Pool {
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
