/** One GET for the keys of the issuer. Kubernetes' API server wants a token for it, and has a CA of its own. */
import type { JSONWebKeySet } from 'jose'
import { Agent, request } from 'undici'

/** A token with an unknown key waits for this, so it is short. */
const timeoutMs = 3000
const maxResponseBytes = 1024 * 1024

export interface JwksSource {
  readonly url: string
  /** Reads the bearer token for this request from where it stands, each time anew: Kubernetes replaces it hourly. */
  readonly readToken: () => string | undefined
  /** The certificates that are trusted instead of Node's own, in PEM. */
  readonly readCa: () => string | undefined
}

/** Redirects are not followed: the token is for this address alone. */
export async function fetchJwks({ url, readToken, readCa }: JwksSource): Promise<JSONWebKeySet> {
  const token = readToken()
  const ca = readCa()
  const agent = new Agent({ maxResponseSize: maxResponseBytes, connect: { timeout: timeoutMs, ...(ca && { ca }) } })
  try {
    const { statusCode, body } = await request(url, {
      dispatcher: agent,
      headers: { accept: 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      signal: AbortSignal.timeout(timeoutMs),
    })
    const text = await body.text()
    if (statusCode !== 200) throw Object.assign(new Error('the answer is not 200'), { statusCode })
    // createLocalJWKSet checks the shape.
    return JSON.parse(text) as JSONWebKeySet
  } finally {
    agent.destroy().catch(() => {})
  }
}
