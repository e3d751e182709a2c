/** The bearer token of a request (RFC 6750, section 2.1), and the answers to a missing or bad one (section 3). */
import { Problem } from '../problems/problem.ts'

const realm = 'Bearer realm="freedompay-clients"'
const credentials = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i
/** Longer than any token in use; a longer text is refused before it is parsed. */
const maxTokenChars = 8192

/**
 * Takes Node's `rawHeaders`, as `headers` shows only the first of two Authorization lines.
 * @throws Problem unauthenticated
 */
export function readBearerToken(rawHeaders: readonly string[]): string {
  const lines: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 'authorization'.length && name.toLowerCase() === 'authorization') {
      lines.push(rawHeaders[i + 1] as string)
    }
  }
  const [line] = lines
  if (line === undefined) {
    throw new Problem('unauthenticated', {
      detail: 'The request has no credential. Send `Authorization: Bearer <credential>`.',
      headers: { 'www-authenticate': realm },
    })
  }
  if (lines.length > 1) throw unauthenticated('there must be one Authorization header')
  const token = line.length > maxTokenChars ? undefined : credentials.exec(line)?.[1]
  if (token === undefined) throw unauthenticated('the Authorization header must be Bearer and one token')
  return token
}

/** The caller gets `reason`: a fixed text in printable ASCII without quotes, never a part of the credential. */
export function unauthenticated(reason: string, cause?: unknown): Problem {
  return new Problem('unauthenticated', {
    detail: `The credential is not accepted: ${reason}.`,
    headers: { 'www-authenticate': `${realm}, error="invalid_token", error_description="${reason}"` },
    cause,
  })
}

export function insufficientScope(scope: string): Problem {
  return new Problem('forbidden', {
    detail: 'The token does not have the scope that this service requires.',
    headers: { 'www-authenticate': `${realm}, error="insufficient_scope", scope="${scope}"` },
  })
}
