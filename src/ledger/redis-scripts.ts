/**
 * The atomic steps of the Redis ledger, as Lua: the clock is the server's, so replicas need not agree on theirs.
 *
 * KEYS[1] the row, a hash · KEYS[2] ids by when to ask about them next · KEYS[3] ids that are not final, by when whoever
 * claimed them stops or stopped working on them. All three share a hash tag, so that they live on one node of a cluster.
 */
import { firstAskMs, graceMs, isFinal, isOwnConclusion, predecessors, type Recordable } from './ledger.ts'

const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function row(isClaimed)
  return { isClaimed, tostring(now), redis.call('HGETALL', KEYS[1]) }
end
`

/** ARGV: request_id, caller, fingerprint, deadlineMs */
export const claimScript = `${clock}
local state = redis.call('HGET', KEYS[1], 'state')
if state then
  local isSame = redis.call('HGET', KEYS[1], 'fingerprint') == ARGV[3]
  if state ~= 'not-created' or not isSame then return row(0) end
  redis.call('HDEL', KEYS[1], 'client_id', 'partner_code', 'partner_description')
  redis.call('PERSIST', KEYS[1])
end
local deadline = now + tonumber(ARGV[4])
redis.call('HSET', KEYS[1], 'request_id', ARGV[1], 'caller', ARGV[2], 'fingerprint', ARGV[3], 'state', 'sent',
  'asks', 0, 'updated_at', now, 'deadline_at', deadline)
redis.call('HINCRBY', KEYS[1], 'claims', 1)
redis.call('ZADD', KEYS[2], deadline + ${graceMs}, ARGV[1])
redis.call('ZADD', KEYS[3], deadline, ARGV[1])
return row(1)
`

/** Lua's table of one state: from where it may be reached, whether it is final, whether a claim's holder alone may say it. */
function toLuaRule(state: Recordable): string {
  const from = predecessors[state].map((name) => `['${name}']=true`).join(',')
  return `['${state}']={from={${from}},final=${isFinal(state)},own=${isOwnConclusion(state)}}`
}
const rules = `{${(Object.keys(predecessors) as Recordable[]).map(toLuaRule).join(',')}}`

/** ARGV: request_id, claims, state, clientId, partnerCode, partnerDescription (empty: none), retentionMs */
export const recordScript = `${clock}
local rule = ${rules}
rule = rule[ARGV[3]]
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return row(0) end
if rule.own and redis.call('HGET', KEYS[1], 'claims') ~= ARGV[2] then return row(0) end
local isIdLearnt = ARGV[3] == 'created' and state == 'created' and ARGV[4] ~= ''
  and redis.call('HEXISTS', KEYS[1], 'client_id') == 0
if not rule.from[state] and not isIdLearnt then return row(0) end

local deadline = math.min(tonumber(redis.call('HGET', KEYS[1], 'deadline_at')), now)
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'updated_at', now, 'deadline_at', deadline)
redis.call('HDEL', KEYS[1], 'client_id', 'partner_code', 'partner_description')
for i, name in ipairs({ 'client_id', 'partner_code', 'partner_description' }) do
  if ARGV[i + 3] ~= '' then redis.call('HSET', KEYS[1], name, ARGV[i + 3]) end
end
if rule.final then redis.call('ZREM', KEYS[3], ARGV[1]) else redis.call('ZADD', KEYS[3], deadline, ARGV[1]) end
if rule.final and not (ARGV[3] == 'created' and ARGV[4] == '') then
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('ZADD', KEYS[2], now + ${firstAskMs}, ARGV[1])
end
if rule.final then redis.call('PEXPIRE', KEYS[1], ARGV[7]) else redis.call('PERSIST', KEYS[1]) end
return row(1)
`

/** ARGV: leaseMs, prefix of the rows' keys. Ids whose row has expired are dropped on the way. */
export const takeDueScript = `${clock}
while true do
  local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1)[1]
  if not due then return { 0, tostring(now), {} } end
  local key = ARGV[2] .. due
  if redis.call('EXISTS', key) == 1 then
    redis.call('ZADD', KEYS[2], now + tonumber(ARGV[1]), due)
    redis.call('HINCRBY', key, 'asks', 1)
    return { 1, tostring(now), redis.call('HGETALL', key) }
  end
  redis.call('ZREM', KEYS[2], due)
  redis.call('ZREM', KEYS[3], due)
end
`

/** ARGV: request_id, claims, pauseMs */
export const postponeScript = `${clock}
if redis.call('HGET', KEYS[1], 'claims') ~= ARGV[2] then return 0 end
return redis.call('ZADD', KEYS[2], 'XX', now + tonumber(ARGV[3]), ARGV[1])
`

export const unresolvedScript = `${clock}
local count = redis.call('ZCOUNT', KEYS[3], '-inf', now)
local oldest = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)[2]
return { count, oldest and tostring(now - tonumber(oldest)) or '0' }
`
