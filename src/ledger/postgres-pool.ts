/** The pool of connections to one PostgreSQL host, and the meaning of their errors. */
import { type ClientBase, type ClientConfig, DatabaseError, Pool } from 'pg'
import { checkWritable, connectTimeoutMs } from './postgres-hosts.ts'
import type { OwnLedger } from './postgres-identity.ts'
import { limitTime } from './time-limit.ts'

const idleTimeoutMs = 60_000
const maxConnections = 16
const tooManyConnections = '53300'
/** The message of `pg-pool` for a call that waited for a connection in vain. It has no code. */
const noneFree = 'timeout exceeded when trying to connect'
/**
 * The part of PostgreSQL that warns: committed, but the wait for the standby was cancelled. The warning's code, 01000, is the code
 * of any plain warning, and its text depends on the language of the server.
 */
const standbyWait = 'SyncRepWaitForLSN'

/**
 * True if the connection must be replaced. An error that does not come from the server always means so. Of the server's errors:
 * read-only, shutdown, lost connection, an internal error, and a missing table.
 */
export function isLost(error: unknown): boolean {
  return !(error instanceof DatabaseError) || /^(25006|57P0.|08...|42P01|XX...)$/.test(error.code ?? '')
}

/**
 * True if the server undid the statement, and the reason may be one of its rows: a bad value, a broken constraint, a deadlock, or a
 * long wait for a locked row.
 */
export function isFaultOfRow(error: unknown): boolean {
  return error instanceof DatabaseError && /^(22...|23...|40001|40P01|57014)$/.test(error.code ?? '')
}

/** True if the server takes no writes or lacks a table. Then all hosts are looked at again, and the schema as well. */
export function isOfHost(error: unknown): boolean {
  return error instanceof DatabaseError && /^(25006|42P01)$/.test(error.code ?? '')
}

/** No connection was free in time. The connections in use may still be good. */
export function isFull(error: unknown): boolean {
  if (error instanceof DatabaseError) return error.code === tooManyConnections
  return error instanceof Error && error.message === noneFree
}

export function openPool(config: ClientConfig, warned: WeakSet<ClientBase>, own: OwnLedger): Pool {
  const pool = new Pool({
    ...config,
    max: maxConnections,
    idleTimeoutMillis: idleTimeoutMs,
    connectionTimeoutMillis: connectTimeoutMs,
    // The host name may lead to a standby now, which would answer with old rows, or to another ledger.
    onConnect: async (client) => {
      const checked = checkWritable(client).then(() => own.check(client, config))
      await limitTime(checked, connectTimeoutMs, () => undefined)
    },
  })
  // An idle connection that ends is replaced when a call needs one.
  pool.on('error', () => undefined)
  // The running query reports the errors of its connection. Without a listener the event would end the process.
  pool.on('connect', (client) => {
    client.on('error', () => undefined)
    client.on('notice', ({ routine }) => {
      if (routine === standbyWait) warned.add(client)
    })
  })
  return pool
}
