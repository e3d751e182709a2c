/** AUTH=api-key: a file that holds the SHA-256 of each key, and which caller the key belongs to. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import { prepareHmac } from '../hmac.ts'
import { unauthenticated } from './bearer-token.ts'
import { type Authenticator, type Caller, isCallerName } from './caller.ts'
import { lookAgainMs, type ObserveSecret, SecretFault, watchSecret } from './watch-secret.ts'

export interface ApiKey {
  readonly caller: Caller
  /** SHA-256 of the key in lower-case hexadecimal. */
  readonly digest: string
}

/** What follows the last colon is the digest, as names of callers may hold colons. */
const line = /^(.+):([0-9a-f]{64})$/i
const digestOfNothing = hash('sha256', '')

/**
 * Lines `caller:sha256-hex`; empty lines and comments (`#`) count for nothing. One bad line spoils the file: half a list would
 * lock callers out without a word.
 * @throws SecretFault, with the number of the line and nothing of its text
 */
export function parseApiKeys(text: string): ApiKey[] {
  const callers = new Map<string, Caller>()
  for (const [index, content] of text.split('\n').entries()) {
    const trimmed = content.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    const [, caller, hex = ''] = line.exec(trimmed) ?? []
    const digest = hex.toLowerCase()
    if (!isCallerName(caller)) throw new SecretFault(`line ${index + 1} is not caller:sha256-hex`)
    if (digest === digestOfNothing) throw new SecretFault(`line ${index + 1} is the digest of an empty key`)
    if ((callers.get(digest) ?? caller) !== caller) {
      throw new SecretFault(`line ${index + 1} gives the key of one caller to another`)
    }
    callers.set(digest, caller)
  }
  if (callers.size === 0) throw new SecretFault('there is no key')
  return [...callers].map(([digest, caller]) => ({ caller, digest }))
}

export type FindCaller = (key: string) => Caller | undefined

/**
 * Any number of keys at the price of one. Comparing with each of them in turn would take constant time as well, but 1 ms for
 * 10,000 keys. Here the place in the table is the HMAC of the digest under a key that this process drew: how long a look-up
 * takes may depend on that HMAC, but nobody outside can compute or choose it. The digest itself is then compared in constant
 * time, with one that nobody has where the table has none, so that right and wrong keys take the same steps.
 */
export function createKeyTable(keys: readonly ApiKey[]): FindCaller {
  const toPlace = prepareHmac('sha256', randomBytes(32).toString('hex'))
  const nobody = { caller: undefined, digest: randomBytes(32) }
  const table = new Map<string, { caller: Caller | undefined; digest: Buffer }>()
  for (const { caller, digest } of keys) table.set(toPlace(digest), { caller, digest: Buffer.from(digest, 'hex') })
  return (key) => {
    const hex = hash('sha256', key)
    const { caller, digest } = table.get(toPlace(hex)) ?? nobody
    return timingSafeEqual(digest, Buffer.from(hex, 'hex')) ? caller : undefined
  }
}

export interface ApiKeyParts {
  readonly keysFile: string
  readonly observe: ObserveSecret
  readonly log: Logger
  readonly everyMs?: number
}

/** @throws SecretFault, or the error of the file system, where there are no keys to begin with */
export function createApiKeyAuthenticator({
  keysFile,
  observe,
  log,
  everyMs = lookAgainMs,
}: ApiKeyParts): Authenticator {
  const read = () => readFileSync(keysFile, 'utf8')
  const text = read()
  let findCaller = createKeyTable(parseApiKeys(text))
  const watched = watchSecret(text, read, {
    name: 'API_KEYS_FILE',
    everyMs,
    observe,
    log,
    onChange(changed) {
      findCaller = createKeyTable(parseApiKeys(changed))
    },
  })
  return {
    authenticate(key) {
      const caller = findCaller(key)
      if (caller === undefined) throw unauthenticated('the key is not known')
      return caller
    },
    scheme: { type: 'http', scheme: 'bearer', description: 'An API key of this service' },
    stop: watched.stop,
  }
}
