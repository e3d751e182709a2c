/** AUTH=api-key: a file holds the SHA-256 of each key, with the caller that the key belongs to. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
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

/** The digest follows the last colon, as names of callers may hold colons. */
const line = /^(.+):([0-9a-f]{64})$/i
const digestOfNothing = hash('sha256', '')

/**
 * Lines `caller:sha256-hex`; empty lines and comments (`#`) are skipped. One bad line makes the whole file faulty: half a list
 * would lock callers out, and no log line would say so.
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

/** Slots of one bucket. With as many buckets as keys, a bucket needs more slots only once in thousands of draws. */
const slots = 8
const digestBytes = 32

/**
 * A look-up takes the same time with any number of keys. A comparison with each key in turn would be constant-time as well, but
 * takes 1 ms for 10,000 keys. Here a hash of the digest and of a secret of this process chooses the bucket; so no caller can compute
 * or choose a bucket. Both have a fixed length, so an HMAC would add nothing but time. All slots of the bucket are then compared in
 * constant time; free slots hold random digests. Right and wrong keys take the same steps and touch the same amount of memory.
 * test/auth/timing.ts measures that.
 */
export function createKeyTable(keys: readonly ApiKey[]): FindCaller {
  for (;;) {
    const find = drawKeyTable(keys)
    if (find !== undefined) return find
  }
}

/** Undefined if a bucket has too few slots. */
function drawKeyTable(keys: readonly ApiKey[]): FindCaller | undefined {
  const secret = randomBytes(digestBytes).toString('hex')
  const bucketCount = 2 ** Math.ceil(Math.log2(keys.length + 1))
  const toFirstSlot = (digest: string) =>
    (hash('sha256', secret + digest, 'buffer').readUInt32LE() % bucketCount) * slots
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
    // A wrong key does this look-up as well, so that it takes the same steps.
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

/** @throws SecretFault, or the error of the file system, if the keys cannot be read at the start */
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
