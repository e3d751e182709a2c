/** The scripts as commands of the Redis client. */
import { defineScript } from 'redis'
import { inspectScript, resolveScript } from './redis-inspection.ts'
import { keyPrefix, rowPrefix, sharedKeys } from './redis-keys.ts'
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

export const scripts = {
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
