/** The issuer's public keys (JWKS, RFC 7517): fetched, kept, and fetched again when a token names an unknown key. */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { Logger } from 'pino'
import type { ObserveSecret } from './watch-secret.ts'

/** Shortest time between two fetches, so that tokens with invented key ids cannot make this service flood the issuer. */
const coolDownMs = 30_000
/** Older keys are fetched again in the background. */
const maxAgeMs = 600_000

/** The key of a token is unknown, and the issuer cannot be asked. */
export class KeysUnreachableError extends Error {
  constructor(cause: unknown) {
    super('the keys of the issuer cannot be fetched', { cause })
    this.name = 'KeysUnreachableError'
  }
}

export interface KeySetParts {
  readonly fetchKeys: () => Promise<JSONWebKeySet>
  readonly observe: ObserveSecret
  readonly log: Pick<Logger, 'error'>
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: () => number
}

export interface KeySet {
  /** @throws KeysUnreachableError; errors.JWKSNoMatchingKey if the issuer does not have the key */
  readonly getKey: JWTVerifyGetKey
  /** The keys in use: another object after each fetch. Old ones are fetched again in the background. */
  current(): unknown
  /** Fetches the keys before the first token arrives. Never rejects. */
  warmUp(): Promise<void>
}

export function createKeySet({ fetchKeys, observe, log, now = () => performance.now() }: KeySetParts): KeySet {
  let find: JWTVerifyGetKey | undefined
  let fetchedAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let failure: { cause: unknown } | undefined
  let fetching: Promise<void> | undefined

  async function fetchOnce(): Promise<void> {
    triedAt = now()
    try {
      find = createLocalJWKSet(await fetchKeys())
      fetchedAt = now()
      failure = undefined
      observe('JWT_JWKS_URL', true)
    } catch (cause) {
      if (failure === undefined) log.error({ err: cause }, 'the keys of the issuer cannot be fetched; known ones stay')
      failure = { cause }
      observe('JWT_JWKS_URL', false)
    }
  }

  /** Resolves at once if the last fetch is too recent for another one. */
  async function refresh(): Promise<void> {
    if (fetching === undefined && now() - triedAt < coolDownMs) return
    fetching ??= fetchOnce().finally(() => {
      fetching = undefined
    })
    await fetching
  }

  /** A known key must work even if the issuer cannot be reached, so the fetch is not awaited. */
  function current(): JWTVerifyGetKey | undefined {
    if (now() - fetchedAt > maxAgeMs) void refresh()
    return find
  }

  return {
    async getKey(header, token) {
      const known = current()
      if (known !== undefined) {
        try {
          return await known(header, token)
        } catch (error) {
          if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        }
      }
      await refresh()
      if (failure !== undefined || find === undefined) throw new KeysUnreachableError(failure?.cause)
      return find(header, token)
    },
    current,
    warmUp: refresh,
  }
}
