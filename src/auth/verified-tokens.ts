/**
 * Remembers the tokens that were good. A caller sends the same token with many creates, and to check a signature takes longer than
 * everything else that authentication does.
 */
import { hash } from 'node:crypto'
import type { Caller } from './caller.ts'

/** The limit is needed, as an issuer may give out a new token for each create. */
const mostTokens = 1000

export interface VerifiedToken {
  readonly caller: Caller
  /** From this moment on the token must not be accepted, on the clock of `Date.now()`. */
  readonly expiresAtMs: number
}

export interface VerifiedTokens {
  /** Undefined: the token must be verified. */
  find(token: string): Caller | undefined
  /** `keys` were in use when the verification began. */
  add(token: string, keys: unknown, verified: VerifiedToken): void
}

/** `currentKeys` returns another object after each change of the keys. A key may be gone then, so no token is remembered any longer. */
export function createVerifiedTokens(currentKeys: () => unknown, now = Date.now): VerifiedTokens {
  /** By the digest, so that memory holds no token. The oldest first. */
  const tokens = new Map<string, VerifiedToken>()
  let keysInUse: unknown

  function forgetOldKeys(): void {
    const keys = currentKeys()
    if (keys !== keysInUse) tokens.clear()
    keysInUse = keys
  }

  return {
    find(token) {
      forgetOldKeys()
      const digest = toDigest(token)
      const found = tokens.get(digest)
      if (found === undefined) return undefined
      if (now() < found.expiresAtMs) return found.caller
      tokens.delete(digest)
      return undefined
    },
    add(token, keys, verified) {
      forgetOldKeys()
      if (keys !== keysInUse) return
      for (const oldest of tokens.keys()) {
        if (tokens.size < mostTokens) break
        tokens.delete(oldest)
      }
      tokens.set(toDigest(token), verified)
    },
  }
}

function toDigest(token: string): string {
  return hash('sha256', token, 'base64')
}
