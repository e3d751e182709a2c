/**
 * The shared ledger: several replicas on one Redis or Valkey (7 or later). It needs persistence (appendonly) and
 * `maxmemory-policy noeviction`: an evicted row is a lost claim.
 */
import type { Logger } from 'pino'
import { defineScript } from 'redis'
import { type Claim, ForeignLedgerError, type Ledger, type Row } from './ledger.ts'
import { openRedisConnection } from './redis-connection.ts'
import { inspectRedis, inspectScript, resolveScript } from './redis-inspection.ts'
import {
  claimScript,
  findByKeyScript,
  findScript,
  postponeScript,
  recordScript,
  renewScript,
  statsScript,
  takeDueScript,
} from './redis-scripts.ts'
import { firstAskAfterMs, isOwnConclusion } from './rules.ts'
import type { State } from './states.ts'

export interface RedisLedgerSettings {
  readonly url: string
  readonly retentionMs: number
  readonly log: Logger
}

/** The braces are a hash tag: a cluster keeps all these keys on one node. */
const prefix = '{freedompay-clients}:'
const rowPrefix = `${prefix}request:`
const keyPrefix = `${prefix}key:`
const unresolvedKey = `${prefix}unresolved`
const sharedKeys = [`${prefix}to-ask`, unresolvedKey, `${prefix}never-asked`] as const
const accountKey = `${prefix}account`
const probeKey = `${prefix}probed-at`

/** The number of rows that one step of a list reads. */
const rowsAtOnce = 500

/** The reply of a script: whether the row was changed, the server's clock, the row as a flat list, the state before. */
export type ScriptReply = [done: number, now: string, fields: string[], was?: string]

function script(lua: string) {
  return defineScript({
    SCRIPT: lua,
    NUMBER_OF_KEYS: 5,
    parseCommand(parser, requestId: string, keyId: string, ...args: string[]) {
      parser.pushKeys([rowPrefix + requestId, ...sharedKeys, keyPrefix + keyId])
      parser.push(...args)
    },
    transformReply: (reply: unknown) => reply,
  })
}

const scripts = {
  claim: script(claimScript),
  renew: script(renewScript),
  record: script(recordScript),
  findRow: script(findScript),
  findByKey: script(findByKeyScript),
  takeDue: script(takeDueScript),
  postpone: script(postponeScript),
  stats: script(statsScript),
  inspectRow: script(inspectScript),
  resolveRow: script(resolveScript),
}

const flag = (value: boolean | undefined) => (value ? '1' : '0')
const orEmpty = (value: string | number | undefined) => (value === undefined ? '' : String(value))

export function openRedisLedger({ url, retentionMs, log }: RedisLedgerSettings): Ledger {
  const { client, answered, firstTry, close } = openRedisConnection(url, scripts, log)
  const retention = String(retentionMs)

  return {
    ...inspectRedis({
      run: (name, requestId, ...args) => answered(client[name](requestId, '', ...args)),
      scan: (cursor) => answered(client.scan(cursor, { MATCH: `${rowPrefix}*`, COUNT: rowsAtOnce })),
      scanUnresolved: (cursor) => answered(client.zScan(unresolvedKey, cursor, { COUNT: rowsAtOnce })),
      toRow,
      rowPrefix,
      resolveArgs: [retention, keyPrefix],
    }),
    async claim({ requestId, keyId = '', caller, fingerprint, claimToken, deadlineMs }: Claim) {
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
      const { state, clientId, partnerCode, partnerDescription, isInferred, isAcknowledged } = change
      const texts = [clientId, partnerCode, partnerDescription].map(orEmpty)
      const flags = [isInferred, isAcknowledged, isOwnConclusion(change)].map(flag)
      const pause = orEmpty(firstAskAfterMs(change))
      const args = [requestId, claimToken, state, ...texts, ...flags, pause, retention, keyPrefix]
      const reply = (await answered(client.record(requestId, '', ...args))) as ScriptReply
      const row = toRow(reply)
      return row && { row, was: reply[3] as State | undefined }
    },
    async find(requestId) {
      return toRow((await answered(client.findRow(requestId, ''))) as ScriptReply)
    },
    async findByKey(keyId) {
      return toRow((await answered(client.findByKey('', keyId, rowPrefix, keyId))) as ScriptReply)
    },
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
    async stats() {
      const reply = (await answered(client.stats('', ''))) as [number, string, number, string]
      const [unresolved, oldestMs, needsAttention, dueMs] = reply
      return {
        unresolved,
        oldestUnresolvedSeconds: Number(oldestMs) / 1000,
        needsAttention,
        oldestDueSeconds: Number(dueMs) / 1000,
      }
    },
    async adopt(account) {
      await firstTry
      await answered(client.set(accountKey, account, { condition: 'NX' }))
      if ((await answered(client.get(accountKey))) !== account) throw new ForeignLedgerError()
    },
    async probe() {
      await answered(client.set(probeKey, Date.now()))
    },
    close,
  }
}

function toRow([, now, fields]: ScriptReply): Row | undefined {
  if (fields.length === 0) return undefined
  const stored: Record<string, string> = {}
  for (let i = 0; i < fields.length; i += 2) stored[fields[i] as string] = fields[i + 1] as string
  const requestId = stored.request_id as string
  const fingerprint = stored.fingerprint as string
  // Rows without key_id come from an earlier version: request_id is the hash of the key, and this code marks an
  // acknowledgement.
  const isOld = stored.key_id === undefined
  const isMarked = isOld && stored.partner_code === 'duplicate' && stored.state === 'unknown'
  return {
    requestId,
    keyId: isOld && fingerprint !== '' ? requestId : stored.key_id || undefined,
    caller: stored.caller as string,
    fingerprint,
    state: stored.state as State,
    clientId: stored.client_id,
    partnerCode: isMarked ? undefined : stored.partner_code,
    partnerDescription: stored.partner_description,
    claimToken: stored.claim_token ?? '',
    claims: Number(stored.claims),
    mayHaveArrived: stored.may_have_arrived === '1' || isOld,
    isAcknowledged: stored.is_acknowledged === '1' || isMarked,
    isInferred: stored.is_inferred === '1',
    doubts: Number(stored.doubts ?? 0),
    doubtedForMs: stored.doubted_at === undefined ? 0 : Number(now) - Number(stored.doubted_at),
    asks: Number(stored.asks),
    updatedAtMs: Number(stored.updated_at),
    sinceUpdateMs: Number(now) - Number(stored.updated_at),
    sinceLastSendMs: Number(now) - Number(stored.deadline_at),
  }
}
