/**
 * The two signatures of FreedomPay's introductions. This is the only file that sees the secret key; it lives in a closure.
 * `jws`: docs.freedompay.kz/doc-760202. `sign`: docs.freedompay.kg/doc-833009.
 */
import { createHash, createHmac, createSecretKey, hash, randomUUID, timingSafeEqual } from 'node:crypto'
import type { Turn } from '../turnstile.ts'

export type SignatureScheme = 'jws' | 'sign'

export interface Credentials {
  readonly authId: string
  readonly secretKey: string
}

export type SignatureHeaders = Record<string, string>

/** Signs exactly the bytes that are sent: the body is serialised once, before this. */
export interface Sign {
  (path: string, body: Buffer): SignatureHeaders
  /** The same in slices, for bodies of megabytes: each waits for its turn. */
  inTurns(path: string, body: Buffer, turn: Turn): Promise<SignatureHeaders>
}

/** How a scheme signs. */
interface Scheme {
  /** A body that is there as a whole and short. */
  sign(path: string, body: Buffer): SignatureHeaders
  /** A body that is fed piece by piece. */
  begin(path: string): Signing
}

interface Signing {
  update(piece: Buffer): void
  headers(): SignatureHeaders
}

/** Divisible by 3, so that the pieces' Base64 joins without padding; small enough for the processor's cache. */
const pieceBytes = 48 * 1024
/** Some 1 ms of work. */
const sliceBytes = 8 * pieceBytes

function* cut(body: Buffer, size: number): Generator<Buffer> {
  for (let start = 0; start < body.length; start += size) yield body.subarray(start, start + size)
}

export function createSigner(schemeName: SignatureScheme, credentials: Credentials): Sign {
  const scheme = schemeName === 'jws' ? prepareJws(credentials) : prepareHash(credentials)

  function sign(path: string, body: Buffer): SignatureHeaders {
    if (body.length <= pieceBytes) return scheme.sign(path, body)
    const signing = scheme.begin(path)
    for (const piece of cut(body, pieceBytes)) signing.update(piece)
    return signing.headers()
  }

  async function inTurns(path: string, body: Buffer, turn: Turn): Promise<SignatureHeaders> {
    const signing = scheme.begin(path)
    for (const slice of cut(body, sliceBytes)) {
      await turn()
      for (const piece of cut(slice, pieceBytes)) signing.update(piece)
    }
    return signing.headers()
  }

  return Object.assign(sign, { inTurns })
}

/** Detached JWS (RFC 7515, appendix F): `X-JWS-Signature: <protected header>..<signature>`, HS512. */
function prepareJws({ authId, secretKey }: Credentials): Scheme {
  const key = createSecretKey(secretKey, 'utf8')
  const signShort = prepareShortHmac(secretKey)
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

  return {
    sign(path, body) {
      const protectedHeader = protectedHeaderOf(path)
      return {
        'x-jws-signature': `${protectedHeader}..${signShort(`${protectedHeader}.${body.toString('base64url')}`)}`,
      }
    },
    begin(path) {
      const protectedHeader = protectedHeaderOf(path)
      const hmac = createHmac('sha512', key).update(`${protectedHeader}.`)
      return {
        update: (piece) => hmac.update(piece.toString('base64url'), 'latin1'),
        headers: () => ({ 'x-jws-signature': `${protectedHeader}..${hmac.digest('base64url')}` }),
      }
    },
  }
}

const blockBytes = 128
const digestBytes = 64

/**
 * HMAC-SHA-512 (RFC 2104) of an ASCII text, in Base64url. Two hashes at one stroke cost half of what it takes to prepare Node's
 * object for a text of a kilobyte.
 */
function prepareShortHmac(secretKey: string): (text: string) => string {
  const secret = Buffer.from(secretKey)
  const key = Buffer.alloc(blockBytes)
  ;(secret.length > blockBytes ? hash('sha512', secret, 'buffer') : secret).copy(key)
  const innerPad = key.map((byte) => byte ^ 0x36)
  /** The pads, each followed by what it is hashed with. */
  let inner = Buffer.concat([innerPad, Buffer.alloc(blockBytes * 32)])
  const outer = Buffer.concat([key.map((byte) => byte ^ 0x5c), Buffer.alloc(digestBytes)])
  return (text) => {
    const length = blockBytes + text.length
    if (length > inner.length) inner = Buffer.concat([innerPad, Buffer.alloc(2 * text.length)])
    inner.write(text, blockBytes, 'latin1')
    outer.write(hash('sha512', inner.subarray(0, length), 'latin1'), blockBytes, 'latin1')
    return hash('sha512', outer, 'base64url')
  }
}

/** `Sign`: lower-case hex SHA-256 of the body immediately followed by the secret key. `Request-Id` is new for each call. */
function prepareHash({ authId, secretKey }: Credentials): Scheme {
  function begin(): Signing {
    const sha256 = createHash('sha256')
    return {
      update: (piece) => sha256.update(piece),
      headers: () => ({
        'request-id': randomUUID(),
        'auth-id': authId,
        sign: sha256.update(secretKey).digest('hex'),
      }),
    }
  }

  return {
    sign(_path, body) {
      const signing = begin()
      signing.update(body)
      return signing.headers()
    },
    begin,
  }
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
