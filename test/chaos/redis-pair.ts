/** A Redis and a replica of it that lags: what it has not received yet when the primary dies is lost. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'
import type { ChildReport } from './child.ts'
import { openLedgerLine } from './ledger-line.ts'
import { type RedisServer, startRedisServer } from './redis-server.ts'
import { until } from './waiting.ts'

export interface RedisPair {
  /** Of the one that is the primary now. */
  port(): number
  /** The replica is cut off `lagMs` before the primary dies, and becomes the primary. Says how many rows are lost. */
  failOver(lagMs: number, whileDown: () => Promise<unknown>): Promise<number>
  /** The dead one comes back, as a replica. */
  renewReplica(): Promise<void>
  stop(): Promise<void>
}

const longestSyncMs = 30_000

export async function startRedisPair(folder: string, report: ChildReport): Promise<RedisPair> {
  let primary = await startRedisServer(folder, report)
  const replication = await openLedgerLine(primary.port)
  let replica: RedisServer | undefined = await startReplica()

  async function startReplica(): Promise<RedisServer> {
    const started = await startRedisServer(folder, report, { replicaof: `127.0.0.1 ${replication.port}` })
    const isInStep = async () => (await ask(started, ['INFO', 'replication'])).includes('master_link_status:up')
    if (!(await until(isInStep, longestSyncMs))) throw new Error('the replica does not get in step')
    return started
  }

  return {
    port: () => primary.port,
    async failOver(lagMs, whileDown) {
      if (replica === undefined) throw new Error('there is no replica')
      replication.holdAnswers()
      await sleep(lagMs)
      const before = await ask(primary, ['KEYS', '*:request:*'])
      await primary.goDown('SIGKILL')
      await whileDown()
      await ask(replica, ['REPLICAOF', 'NO', 'ONE'])
      const left = new Set(await ask(replica, ['KEYS', '*:request:*']))
      primary = replica
      replica = undefined
      return [...before].filter((key) => !left.has(key)).length
    },
    async renewReplica() {
      replication.leadTo(primary.port)
      replica = await startReplica()
    },
    async stop() {
      await Promise.all([primary.stop(), replica?.stop()])
      await replication.close()
    },
  }
}

async function ask({ port }: RedisServer, command: string[]): Promise<string | string[]> {
  const client = createClient({ url: `redis://127.0.0.1:${port}` })
  await client.connect()
  const answer = await client.sendCommand<string | string[]>(command)
  client.destroy()
  return answer
}
