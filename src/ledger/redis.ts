/**
 * The shared ledger: several replicas on one Redis or Valkey (7 or later). It needs persistence (appendonly) and
 * `maxmemory-policy noeviction`: an evicted row is a lost claim.
 */
import type { Logger } from 'pino'
import { checkOwner } from './account.ts'
import type { Change, Ledger, LedgerStats, Row } from './ledger.ts'
import { scripts } from './redis-commands.ts'
import { openRedisConnection } from './redis-connection.ts'
import { inspectRedis } from './redis-inspection.ts'
import { accountKey, keyPrefix, probeKey, rowPrefix, unresolvedKey } from './redis-keys.ts'
import { type ScriptReply, toRow } from './redis-rows.ts'
import { firstAskAfterMs, isOwnConclusion } from './rules.ts'
import type { State } from './states.ts'
import { limitTime } from './time-limit.ts'

export interface RedisLedgerSettings {
  readonly url: string
  readonly retentionMs: number
  readonly log: Logger
}

/** The number of rows that one step of a list reads. */
const rowsAtOnce = 500

/** A request waits only this long for the count of its caller's requests. */
const longestCountMs = 200

const flag = (value: boolean | undefined) => (value ? '1' : '0')
const orEmpty = (value: string | number | undefined) => (value === undefined ? '' : String(value))

export function openRedisLedger({ url, retentionMs, log }: RedisLedgerSettings): Ledger {
  const { client, answered, firstTry, close } = openRedisConnection(url, scripts, log)
  const retention = String(retentionMs)
  const readOwner = async () => (await answered(client.get(accountKey))) ?? undefined

  return {
    ...inspectRedis({
      run: (name, requestId, ...args) => answered(client[name](requestId, '', ...args)),
      scan: (cursor) => answered(client.scan(cursor, { MATCH: `${rowPrefix}*`, COUNT: rowsAtOnce })),
      scanUnresolved: (cursor) => answered(client.zScan(unresolvedKey, cursor, { COUNT: rowsAtOnce })),
      isResolved: async (requestId) => (await answered(client.hExists(rowPrefix + requestId, 'resolved_at'))) === 1,
      retention,
    }),
    async claim({ requestId, keyId = '', caller, fingerprint, claimToken, deadlineMs }) {
      const args = [requestId, keyId, caller, fingerprint, claimToken, String(Math.round(deadlineMs)), rowPrefix]
      const reply = (await answered(client.claim(requestId, keyId, ...args))) as ScriptReply
      return { isClaimed: reply[0] === 1, row: toRow(reply) as Row }
    },
    async renew({ requestId, from, to, deadlineMs, mayHaveArrived }) {
      const args = [requestId, from, to, String(Math.round(deadlineMs)), flag(mayHaveArrived), keyPrefix]
      const reply = (await answered(client.renew(requestId, '', ...args))) as ScriptReply
      return reply[0] === 1 ? toRow(reply) : undefined
    },
    async record(requestId, claimToken, change) {
      const args = [requestId, claimToken, ...changeArgs(change), retention, keyPrefix]
      const reply = (await answered(client.record(requestId, '', ...args))) as ScriptReply
      const row = toRow(reply)
      return row && { row, was: reply[3] as State | undefined }
    },
    find: async (requestId) => toRow((await answered(client.findRow(requestId, ''))) as ScriptReply),
    findByKey: async (keyId) => toRow((await answered(client.findByKey('', keyId, rowPrefix, keyId))) as ScriptReply),
    async takeDue(leaseMs, limit) {
      const reply = await answered(client.takeDue('', '', String(leaseMs), String(limit), rowPrefix))
      const [now, ...rows] = reply as [string, ...string[][]]
      return rows.map((fields) => toRow([1, now, fields]) as Row)
    },
    async postpone({ requestId, claimToken, pauseMs, takenAsks, asks, doubts, isAcknowledged }) {
      const numbers = [pauseMs === undefined ? undefined : Math.round(pauseMs), asks, doubts].map(orEmpty)
      const args = [requestId, claimToken, ...numbers, flag(isAcknowledged), retention, keyPrefix, String(takenAsks)]
      await answered(client.postpone(requestId, '', ...args))
    },
    // Redis deletes rows itself: a settled row has an expiry.
    async forgetOld() {},
    stats: async () => toStats((await answered(client.stats('', ''))) as StatsReply),
    async adopt(account) {
      await firstTry
      await answered(client.set(accountKey, account, { condition: 'NX' }))
      checkOwner(await readOwner(), account)
    },
    async checkOwner(account) {
      await firstTry
      checkOwner(await readOwner(), account)
    },
    async probe() {
      await answered(client.set(probeKey, Date.now()))
    },
    countForAll: (caller, windowMs) => limitTime(answered(client.count(caller, windowMs)), longestCountMs, () => {}),
    close,
  }
}

/** The part of `recordScript`'s arguments that depends only on the change. */
function changeArgs(change: Change): string[] {
  const { state, clientId, partnerCode, partnerDescription, isInferred, isAcknowledged } = change
  const texts = [clientId, partnerCode, partnerDescription].map(orEmpty)
  const flags = [isInferred, isAcknowledged, isOwnConclusion(change)].map(flag)
  return [state, ...texts, ...flags, orEmpty(firstAskAfterMs(change))]
}

type StatsReply = [unresolved: number, oldestMs: string, needsAttention: number, dueMs: string]

function toStats([unresolved, oldestMs, needsAttention, dueMs]: StatsReply): LedgerStats {
  return {
    unresolved,
    oldestUnresolvedSeconds: Number(oldestMs) / 1000,
    needsAttention,
    oldestDueSeconds: Number(dueMs) / 1000,
  }
}
