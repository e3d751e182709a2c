/**
 * The atomic steps of the Redis ledger, in Lua. The server's clock counts, so the clocks of replicas may differ.
 *
 * KEYS[1] the row, a hash · KEYS[2] ids with an earlier question, sorted by the next question · KEYS[3] ids that are not
 * final, sorted by the last moment at which a send may leave · KEYS[4] ids without a question so far, sorted by the first
 * question · KEYS[5] the request_id of a key. All keys share a hash tag, so that a cluster keeps all of them on one node.
 */
import { attentionAfterMs, graceMs } from './rules.ts'
import { correctionsOfInferredRejection, isFinal, predecessors, type Recordable } from './states.ts'

export const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

export const returnRow = `
local function row(isDone, key)
  return { isDone, tostring(now), redis.call('HGETALL', key) }
end
`

/** Puts a row into the queue of its next question. Rows without a question so far have their own queue, which comes first. */
export const schedule = `
local function schedule(id, at, asks)
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZREM', KEYS[4], id)
  if at then redis.call('ZADD', asks == 0 and KEYS[4] or KEYS[2], at, id) end
end
`

/** ARGV: request_id, key_id (empty: none), caller, fingerprint, claimToken, deadlineMs, prefix of the rows' keys */
export const claimScript = `${clock}${returnRow}${schedule}
local known = ARGV[2] ~= '' and redis.call('GET', KEYS[5])
if known and redis.call('EXISTS', ARGV[7] .. known) == 1 then return row(0, ARGV[7] .. known) end
-- Before there were key ids, the request_id was the hash of the key.
if ARGV[2] ~= '' and redis.call('EXISTS', ARGV[7] .. ARGV[2]) == 1 then return row(0, ARGV[7] .. ARGV[2]) end
if redis.call('EXISTS', KEYS[1]) == 1 then return row(0, KEYS[1]) end
local deadline = now + tonumber(ARGV[6])
redis.call('HSET', KEYS[1], 'request_id', ARGV[1], 'key_id', ARGV[2], 'caller', ARGV[3], 'fingerprint', ARGV[4],
  'state', 'sent', 'claim_token', ARGV[5], 'claims', 1, 'asks', 0, 'updated_at', now, 'deadline_at', deadline)
if ARGV[2] ~= '' then redis.call('SET', KEYS[5], ARGV[1]) end
schedule(ARGV[1], deadline + ${graceMs}, 0)
redis.call('ZADD', KEYS[3], deadline, ARGV[1])
return row(1, KEYS[1])
`

/** ARGV: request_id, from, to, deadlineMs, mayHaveArrived (1 or 0), prefix of the keys' keys */
export const renewScript = `${clock}${returnRow}${schedule}
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'sent' and state ~= 'unknown' and state ~= 'not-created' then return row(0, KEYS[1]) end
if (redis.call('HGET', KEYS[1], 'claim_token') or '') ~= ARGV[2] then return row(0, KEYS[1]) end
-- In rows of before there were key ids, this code marks what FreedomPay has acknowledged.
local isOld = redis.call('HEXISTS', KEYS[1], 'key_id') == 0
if isOld and state == 'unknown' and redis.call('HGET', KEYS[1], 'partner_code') == 'duplicate' then
  redis.call('HSET', KEYS[1], 'is_acknowledged', 1)
end
redis.call('HDEL', KEYS[1], 'client_id', 'partner_code', 'partner_description', 'is_inferred', 'doubts', 'doubted_at')
redis.call('PERSIST', KEYS[1])
local keyId = redis.call('HGET', KEYS[1], 'key_id')
if keyId and keyId ~= '' then redis.call('PERSIST', ARGV[6] .. keyId) end
local deadline = now + tonumber(ARGV[4])
redis.call('HSET', KEYS[1], 'state', 'sent', 'claim_token', ARGV[3], 'asks', 0, 'updated_at', now, 'deadline_at', deadline)
redis.call('HINCRBY', KEYS[1], 'claims', 1)
if ARGV[5] == '1' then redis.call('HSET', KEYS[1], 'may_have_arrived', 1) end
schedule(ARGV[1], deadline + ${graceMs}, 0)
redis.call('ZADD', KEYS[3], deadline, ARGV[1])
return row(1, KEYS[1])
`

/** The Lua table of one state: the states before, and whether the state is final. */
function toLuaRule(state: Recordable): string {
  const from = predecessors[state].map((name) => `['${name}']=true`).join(',')
  return `['${state}']={from={${from}},final=${isFinal(state)}}`
}
const rules = `{${(Object.keys(predecessors) as Recordable[]).map(toLuaRule).join(',')}}`
const corrections = `{${correctionsOfInferredRejection.map((state) => `['${state}']=true`).join(',')}}`

/** The entry of the idempotency key expires together with the row. The row names the entry: a change does not carry the key. */
export const expire = `
local function expire(retentionMs, keyPrefix)
  local keyId = redis.call('HGET', KEYS[1], 'key_id')
  local hasKey = keyId and keyId ~= ''
  if retentionMs then
    redis.call('PEXPIRE', KEYS[1], retentionMs)
    if hasKey then redis.call('PEXPIRE', keyPrefix .. keyId, retentionMs) end
  else
    redis.call('PERSIST', KEYS[1])
    if hasKey then redis.call('PERSIST', keyPrefix .. keyId) end
  end
end
`

/**
 * ARGV: request_id, claimToken, state, clientId, partnerCode, partnerDescription (empty: none), isInferred, isAcknowledged,
 * isOwn (1 or 0), pauseMs (empty: nothing to ask), retentionMs, prefix of the keys' keys
 */
export const recordScript = `${clock}${returnRow}${schedule}${expire}
local rule = (${rules})[ARGV[3]]
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return row(0, KEYS[1]) end
if ARGV[9] == '1' and (redis.call('HGET', KEYS[1], 'claim_token') or '') ~= ARGV[2] then return row(0, KEYS[1]) end
local isIdLearnt = ARGV[3] == 'created' and state == 'created' and ARGV[4] ~= ''
  and redis.call('HEXISTS', KEYS[1], 'client_id') == 0
local isInferred = redis.call('HGET', KEYS[1], 'is_inferred') == '1'
local isCorrected = isInferred and ARGV[7] == '0' and (state == 'rejected' and (${corrections})[ARGV[3]]
  or state == 'created' and (ARGV[3] == 'rejected' or ARGV[3] == 'created' and ARGV[4] ~= ''))
if not rule.from[state] and not isIdLearnt and not isCorrected then return row(0, KEYS[1]) end

local deadline = math.min(tonumber(redis.call('HGET', KEYS[1], 'deadline_at')), now)
redis.call('HDEL', KEYS[1], 'client_id', 'partner_code', 'partner_description', 'doubts', 'doubted_at')
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'updated_at', now, 'deadline_at', deadline, 'asks', 0, 'is_inferred', ARGV[7])
for i, name in ipairs({ 'client_id', 'partner_code', 'partner_description' }) do
  if ARGV[i + 3] ~= '' then redis.call('HSET', KEYS[1], name, ARGV[i + 3]) end
end
if ARGV[8] == '1' then redis.call('HSET', KEYS[1], 'is_acknowledged', 1) end
if rule.final then redis.call('ZREM', KEYS[3], ARGV[1]) else redis.call('ZADD', KEYS[3], deadline, ARGV[1]) end
schedule(ARGV[1], ARGV[10] ~= '' and now + tonumber(ARGV[10]), 0)
-- A created client whose id is never learnt is asked about until it is forgotten.
local isForgotten = ARGV[10] == '' or ARGV[3] == 'created'
expire(isForgotten and ARGV[11], ARGV[12])
local reply = row(1, KEYS[1])
reply[4] = state
return reply
`

/** ARGV: leaseMs, limit, prefix of the rows' keys. Ids of expired rows are removed. */
export const takeDueScript = `${clock}
local taken = { tostring(now) }
local left = tonumber(ARGV[2])
for _, queue in ipairs({ KEYS[4], KEYS[2] }) do
  while left > 0 do
    local due = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, left)
    if #due == 0 then break end
    for _, id in ipairs(due) do
      local key = ARGV[3] .. id
      redis.call('ZREM', queue, id)
      if redis.call('EXISTS', key) == 1 then
        redis.call('ZADD', KEYS[2], now + tonumber(ARGV[1]), id)
        redis.call('HINCRBY', key, 'asks', 1)
        table.insert(taken, redis.call('HGETALL', key))
        left = left - 1
      else
        redis.call('ZREM', KEYS[3], id)
      end
    end
  end
end
return taken
`

/**
 * ARGV: request_id, claimToken, pauseMs (empty: nothing to ask), asks, doubts, isAcknowledged, retentionMs, prefix of the keys'
 * keys, takenAsks
 */
export const postponeScript = `${clock}${schedule}${expire}
if (redis.call('HGET', KEYS[1], 'claim_token') or '') ~= ARGV[2] then return 0 end
if redis.call('HGET', KEYS[1], 'asks') ~= ARGV[9] then return 0 end
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) and not redis.call('ZSCORE', KEYS[4], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'asks', ARGV[4], 'doubts', ARGV[5])
if ARGV[5] == '0' then redis.call('HDEL', KEYS[1], 'doubted_at') else redis.call('HSETNX', KEYS[1], 'doubted_at', now) end
if ARGV[6] == '1' then redis.call('HSET', KEYS[1], 'is_acknowledged', 1) end
schedule(ARGV[1], ARGV[3] ~= '' and now + tonumber(ARGV[3]), tonumber(ARGV[4]))
if ARGV[3] == '' then expire(ARGV[7], ARGV[8]) end
return 1
`

export const findScript = `${clock}${returnRow}
return row(0, KEYS[1])
`

/** ARGV: prefix of the rows' keys, key_id */
export const findByKeyScript = `${clock}${returnRow}
return row(0, ARGV[1] .. (redis.call('GET', KEYS[5]) or ARGV[2]))
`

export const statsScript = `${clock}
local function first(key)
  return redis.call('ZRANGEBYSCORE', key, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)[2] or now
end
return {
  redis.call('ZCOUNT', KEYS[3], '-inf', now),
  tostring(now - first(KEYS[3])),
  redis.call('ZCOUNT', KEYS[3], '-inf', now - ${attentionAfterMs}),
  tostring(now - math.min(first(KEYS[2]), first(KEYS[4]))),
}
`

/** KEYS[1] the requests of one caller · ARGV: windowMs */
export const countScript = `
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return { count, math.max(1, redis.call('PTTL', KEYS[1])) }
`
