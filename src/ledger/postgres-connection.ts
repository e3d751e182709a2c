/** The connections to PostgreSQL. Every call ends within a time limit, and a failed host is replaced. */
import type { ClientBase, PoolClient, QueryResult } from 'pg'
import type { Logger } from 'pino'
import { type Home, PostgresHomes } from './postgres-home.ts'
import { isFull, isLost } from './postgres-pool.ts'
import { steps } from './postgres-schema.ts'
import type { Statement } from './postgres-statements.ts'
import { limitTime } from './time-limit.ts'

/** A ledger that takes longer counts as unreachable. */
const callTimeoutMs = 2000

export interface Postgres {
  /** @throws if the answer does not come in time */
  run<Row>(statement: Statement, values: unknown[]): Promise<QueryResult<Row & object>>
  close(): Promise<void>
}

export function openPostgresConnection(url: string, log: Logger, toSteps = steps): Postgres {
  const warned = new WeakSet<ClientBase>()
  const homes = new PostgresHomes({ url, log, toSteps, warned })

  async function take(from: Home): Promise<PoolClient> {
    try {
      return await from.pool.connect()
    } catch (error) {
      if (!isFull(from.pool, error)) homes.leave(from, error)
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
      homes.leave(from, error)
    }

    async function ask(): Promise<QueryResult<Row & object>> {
      const from = await homes.find()
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

  return { run, close: () => homes.close() }
}
