/** The connections to PostgreSQL. Every call ends within a time limit, and a failed host is replaced. */
import type { ClientBase, PoolClient, QueryResult } from 'pg'
import type { Logger } from 'pino'
import { type Home, PostgresHomes } from './postgres-home.ts'
import { type LedgerIdentity, OwnLedger } from './postgres-identity.ts'
import { isFull, isLost, isOfHost } from './postgres-pool.ts'
import { steps } from './postgres-schema.ts'
import type { Statement } from './postgres-statements.ts'
import { limitTime } from './time-limit.ts'

/** A ledger that takes longer counts as unreachable. */
export const callTimeoutMs = 2000

export interface Postgres {
  /** @throws if the answer does not come in time */
  run<Row>(statement: Statement, values: unknown[]): Promise<QueryResult<Row & object>>
  /** From now on every connection must lead to this ledger. Else calls reject with OtherLedgerError, and nothing is written. */
  remember(identity: LedgerIdentity): void
  close(): Promise<void>
}

/** A connection in use, and its host. */
interface Holding {
  readonly from: Home
  readonly client: PoolClient
}

export function openPostgresConnection(url: string, log: Logger, toSteps = steps): Postgres {
  const warned = new WeakSet<ClientBase>()
  const own = new OwnLedger(log)
  const homes = new PostgresHomes({ url, log, toSteps, warned, own })

  /** A call whose host has gone is not sent yet, so the call goes on at the next host. */
  async function take(triesLeft = 1): Promise<Holding> {
    const from = await homes.find()
    try {
      return { from, client: await from.pool.connect() }
    } catch (error) {
      if (isFull(error) && !from.pool.ending) throw error
      homes.leave(from, error)
      if (triesLeft === 0) throw error
      return await take(triesLeft - 1)
    }
  }

  async function run<Row>({ name, text }: Statement, values: unknown[]): Promise<QueryResult<Row & object>> {
    let holding: Holding | undefined
    let isLate = false

    function release(error?: Error): void {
      if (holding === undefined) return
      const { client, from } = holding
      holding = undefined
      if (error === undefined || !isLost(error)) client.release()
      else client.release(error)
      if (error !== undefined && isOfHost(error)) homes.leave(from, error)
    }

    async function ask(): Promise<QueryResult<Row & object>> {
      holding = await take()
      const { client } = holding
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
      if (holding !== undefined) homes.leave(holding.from, error)
      release(error)
    })
  }

  return { run, remember: (identity) => own.remember(identity), close: () => homes.close() }
}
