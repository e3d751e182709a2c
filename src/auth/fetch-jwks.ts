/** Fetches the keys of the issuer. Kubernetes' API server requires a token for them, and has a CA of its own. */
import type { JSONWebKeySet } from 'jose'
import { Agent, request } from 'undici'

/** Short, as a request whose token has an unknown key waits for the fetch. */
const timeoutMs = 3000
const maxResponseBytes = 1024 * 1024

export interface JwksSource {
  readonly url: string
  /** Reads the bearer token for the fetch again each time: Kubernetes replaces the token every hour. */
  readonly readToken: () => string | undefined
  /** Certificates in PEM that are trusted instead of Node's own. */
  readonly readCa: () => string | undefined
}

/** Redirects are not followed: the token must reach only this address. */
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
