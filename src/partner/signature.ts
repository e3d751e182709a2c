/**
 * The two signatures of FreedomPay's introductions. This is the only file that sees the secret key; it lives in a closure.
 * `jws`: docs.freedompay.kz/doc-760202. `sign`: docs.freedompay.kg/doc-833009.
 */
import { createHash, createHmac, createSecretKey, randomUUID, timingSafeEqual } from 'node:crypto'

export type SignatureScheme = 'jws' | 'sign'

export interface Credentials {
  readonly authId: string
  readonly secretKey: string
}

export type SignatureHeaders = Record<string, string>

/** Signs exactly the bytes that are sent: the body is serialised once, before this. */
export type Sign = (path: string, body: Buffer) => SignatureHeaders

export function createSigner(scheme: SignatureScheme, credentials: Credentials): Sign {
  return scheme === 'jws' ? createJwsSigner(credentials) : createHashSigner(credentials)
}

/** Detached JWS (RFC 7515, appendix F): `X-JWS-Signature: <protected header>..<signature>`, HS512. */
function createJwsSigner({ authId, secretKey }: Credentials): Sign {
  const key = createSecretKey(secretKey, 'utf8')
  const protectedHeaders = new Map<string, string>()

  function protectedHeaderOf(path: string): string {
    let encoded = protectedHeaders.get(path)
    if (encoded === undefined) {
      // The documented order of members; JSON.stringify keeps it.
      const header = { uri: path, auth_id: authId, method: 'POST', params: '', alg: 'HS512' }
      encoded = Buffer.from(JSON.stringify(header)).toString('base64url')
      protectedHeaders.set(path, encoded)
    }
    return encoded
  }

  return (path, body) => {
    const protectedHeader = protectedHeaderOf(path)
    const signature = createHmac('sha512', key)
      .update(`${protectedHeader}.${body.toString('base64url')}`)
      .digest('base64url')
    return { 'x-jws-signature': `${protectedHeader}..${signature}` }
  }
}

/** `Sign`: lower-case hex SHA-256 of the body immediately followed by the secret key. `Request-Id` is new for each call. */
function createHashSigner({ authId, secretKey }: Credentials): Sign {
  return (_path, body) => ({
    'request-id': randomUUID(),
    'auth-id': authId,
    sign: createHash('sha256').update(body).update(secretKey).digest('hex'),
  })
}

/** Whether the headers carry this signer's signature of this call: what FreedomPay does at its end, for the sandbox. */
export function isSignedBy(sign: Sign, path: string, body: Buffer, headers: Record<string, unknown>): boolean {
  return Object.entries(sign(path, body)).every(([name, expected]) => {
    const given = headers[name]
    if (typeof given !== 'string' || given === '') return false
    return name === 'request-id' || isSameText(given, expected)
  })
}

function isSameText(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
