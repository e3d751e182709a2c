/** The scripts as commands of the Redis client. */
import { defineScript } from 'redis'
import { inspectScript, resolveScript } from './redis-inspection.ts'
import { countPrefix, keyPrefix, rowPrefix, sharedKeys } from './redis-keys.ts'
import {
  claimScript,
  countScript,
  findByKeyScript,
  findScript,
  postponeScript,
  recordScript,
  renewScript,
  statsScript,
  takeDueScript,
} from './redis-scripts.ts'

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

const count = defineScript({
  SCRIPT: countScript,
  NUMBER_OF_KEYS: 1,
  parseCommand(parser, caller: string, windowMs: number) {
    parser.pushKey(countPrefix + caller)
    parser.push(String(windowMs))
  },
  transformReply: (reply: unknown) => {
    const [requests, endsInMs] = reply as [number, number]
    return { count: requests, endsInMs }
  },
})

export const scripts = {
  count,
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
