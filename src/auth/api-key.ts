/** AUTH=api-key: a file that holds the SHA-256 of each key, and which caller the key belongs to. */
import { createHmac, createSecretKey, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
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

/** In one bucket of the table. With as many buckets as keys, more in one is drawn once in thousands of times. */
const slots = 8
const digestBytes = 32

/**
 * Any number of keys at the price of one. Comparing with each of them in turn would take constant time as well, but 1 ms for
 * 10,000 keys. Here a digest has its bucket by its HMAC under a key that this process drew, so nobody outside can compute or choose
 * the bucket. All slots of the bucket are then compared in constant time; those that are free hold random digests. Right and wrong
 * keys take the same steps and touch as much memory. test/auth/timing.ts measures that.
 */
export function createKeyTable(keys: readonly ApiKey[]): FindCaller {
  for (;;) {
    const find = drawKeyTable(keys)
    if (find !== undefined) return find
  }
}

/** Undefined where a bucket has too few slots. */
function drawKeyTable(keys: readonly ApiKey[]): FindCaller | undefined {
  const key = createSecretKey(randomBytes(digestBytes))
  const bucketCount = 2 ** Math.ceil(Math.log2(keys.length + 1))
  const toFirstSlot = (digest: string) =>
    (createHmac('sha256', key).update(digest).digest().readUInt32LE() % bucketCount) * slots
  const all = randomBytes(bucketCount * slots * digestBytes)
  const digests = Array.from({ length: bucketCount * slots }, (_, slot) =>
    all.subarray(slot * digestBytes, (slot + 1) * digestBytes),
  )
  const callers: (Caller | undefined)[] = digests.map(() => undefined)

  for (const { caller, digest } of keys) {
    const first = toFirstSlot(digest)
    const used = callers.slice(first, first + slots).filter((owner) => owner !== undefined).length
    if (used === slots) return undefined
    digests[first + used]?.set(Buffer.from(digest, 'hex'))
    callers[first + used] = caller
  }

  return (key) => {
    const digest = hash('sha256', key)
    const bytes = Buffer.from(digest, 'hex')
    const first = toFirstSlot(digest)
    let found: number | undefined
    for (let slot = first; slot < first + slots; slot++) {
      if (timingSafeEqual(bytes, digests[slot] as Buffer)) found = slot
    }
    // Looked up for a wrong key as well.
    const caller = callers[found ?? first]
    return found === undefined ? undefined : caller
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
  const text = readFileSync(keysFile, 'utf8')
  let findCaller = createKeyTable(parseApiKeys(text))
  const watched = watchSecret(text, () => readFile(keysFile, 'utf8'), {
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
