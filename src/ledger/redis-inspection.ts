/** The operator's view of a Redis ledger. */
import { randomUUID } from 'node:crypto'
import { type InspectableLedger, type InspectedRow, isOfUnresolved, matches, resolvable } from './inspection.ts'
import { keyPrefix, rowPrefix } from './redis-keys.ts'
import { toRow } from './redis-rows.ts'
import { clock, expire, returnRow, schedule } from './redis-scripts.ts'
import { predecessors, type State } from './states.ts'

/** Returns the row and the time of the next question; empty: no question is left. */
const returnInspected = `${returnRow}
local function inspected(isDone, id)
  local reply = row(isDone, KEYS[1])
  reply[4] = redis.call('ZSCORE', KEYS[2], id) or redis.call('ZSCORE', KEYS[4], id) or ''
  for i, name in ipairs({ 'resolved_by', 'resolved_why', 'resolved_at' }) do
    reply[i + 4] = redis.call('HGET', KEYS[1], name) or ''
  end
  return reply
end
`

/** ARGV: request_id */
export const inspectScript = `${clock}${returnInspected}
return inspected(0, ARGV[1])
`

const forward = `{${resolvable
  .map((state) => `['${state}']={${predecessors[state].map((from) => `['${from}']=true`).join(',')}}`)
  .join(',')}}`

/**
 * `isResolvable` in Lua. ARGV: request_id, state, clientId (empty: none), by, why, claimToken, retentionMs, prefix of the keys'
 * keys
 */
export const resolveScript = `${clock}${returnInspected}${schedule}${expire}
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return inspected(0, ARGV[1]) end
local deadline = tonumber(redis.call('HGET', KEYS[1], 'deadline_at'))
if state == 'sent' and deadline > now then return inspected(0, ARGV[1]) end
local isInferred = redis.call('HGET', KEYS[1], 'is_inferred') == '1'
local isIdGiven = state == 'created' and ARGV[2] == 'created' and redis.call('HEXISTS', KEYS[1], 'client_id') == 0
if not isInferred and not isIdGiven and not (${forward})[ARGV[2]][state] then return inspected(0, ARGV[1]) end

redis.call('HDEL', KEYS[1], 'client_id', 'doubts', 'doubted_at')
if ARGV[2] ~= 'rejected' then redis.call('HDEL', KEYS[1], 'partner_code', 'partner_description') end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'claim_token', ARGV[6], 'is_inferred', 1, 'asks', 0, 'updated_at', now,
  'deadline_at', math.min(deadline, now), 'resolved_by', ARGV[4], 'resolved_why', ARGV[5], 'resolved_at', now)
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'client_id', ARGV[3]) end
redis.call('ZREM', KEYS[3], ARGV[1])
schedule(ARGV[1], false, 0)
expire(ARGV[7], ARGV[8])
local reply = inspected(1, ARGV[1])
reply[8] = state
return reply
`

type InspectedReply = [
  done: number,
  now: string,
  fields: string[],
  nextAskAt: string,
  by: string,
  why: string,
  atMs: string,
  was?: string,
]

export interface RedisInspectionParts {
  readonly run: (name: 'inspectRow' | 'resolveRow', requestId: string, ...args: string[]) => Promise<unknown>
  /** One step of a scan over the keys of all rows. */
  readonly scan: (cursor: string) => Promise<{ cursor: string; keys: string[] }>
  /** One step of a scan over the ids that are not final. */
  readonly scanUnresolved: (cursor: string) => Promise<{ cursor: string; members: { value: string }[] }>
  readonly isResolved: (requestId: string) => Promise<boolean>
  /** In milliseconds. */
  readonly retention: string
}

export function inspectRedis(parts: RedisInspectionParts): InspectableLedger {
  const { run, scan, scanUnresolved, isResolved, retention } = parts

  async function nextIds(cursor: string, isUnresolved: boolean) {
    if (isUnresolved) {
      const { cursor: next, members } = await scanUnresolved(cursor)
      return { next, ids: members.map(({ value }) => value) }
    }
    const { cursor: next, keys } = await scan(cursor)
    return { next, ids: keys.map((key) => key.slice(rowPrefix.length)) }
  }

  async function* eachId(isUnresolved: boolean): AsyncIterable<readonly string[]> {
    // A scan may return a key twice.
    const seen = new Set<string>()
    let cursor = '0'
    do {
      const { next, ids } = await nextIds(cursor, isUnresolved)
      const fresh = [...new Set(ids)].filter((id) => !seen.has(id))
      for (const id of fresh) seen.add(id)
      yield fresh
      cursor = next
    } while (cursor !== '0')
  }

  return {
    async *list(filter) {
      for await (const ids of eachId(isOfUnresolved(filter))) {
        const rows = await Promise.all(ids.map(async (id) => inspected(await run('inspectRow', id, id))))
        for (const row of rows) if (row !== undefined && matches(row, filter)) yield row
      }
    },
    async inspect(requestId) {
      return inspected(await run('inspectRow', requestId, requestId))
    },
    async resolve(requestId, { state, clientId = '', by, why }) {
      const args = [requestId, state, clientId, by, why, randomUUID(), retention, keyPrefix]
      const reply = await run('resolveRow', requestId, ...args)
      const row = inspected(reply)
      return row && { row, was: (reply as InspectedReply)[7] as State | undefined }
    },
    async countResolved() {
      let count = 0
      for await (const ids of eachId(false)) {
        count += (await Promise.all(ids.map(isResolved))).filter(Boolean).length
      }
      return count
    },
  }
}

function inspected(reply: unknown): InspectedRow | undefined {
  const [done, now, fields, nextAskAt, by, why, atMs] = reply as InspectedReply
  const row = toRow([done, now, fields])
  const nextAskInMs = nextAskAt === '' ? undefined : Number(nextAskAt) - Number(now)
  const resolution = atMs === '' ? undefined : { by, why, atMs: Number(atMs) }
  return row && { ...row, nextAskInMs, resolution }
}
