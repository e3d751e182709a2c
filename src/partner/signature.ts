/**
 * The two signatures of FreedomPay's introductions. The secret key is seen by this file alone, where it
 * lives in closures.
 * `jws`: docs.freedompay.kz/doc-760202. `sign`: docs.freedompay.kg/doc-833009.
 */
import { createHash, createHmac, createSecretKey, hash, hkdfSync, randomUUID, timingSafeEqual } from 'node:crypto'
import type { Turn } from '../large-bodies/event-loop-slices.ts'

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
  /** Reads the credentials again; faulty ones leave the ones in use. */
  reload(): void
  /** FreedomPay refuses the credentials: reads them again, at most once a second, as refusals may come in any number. */
  reloadAfterRefusal(): void
}

/** Told of every reading of the credentials after the first. */
export interface ReloadObserver {
  /** `isNew`: the credentials have changed, and the new ones are in use. */
  read(isNew: boolean): void
  failed(error: unknown): void
}

/** How a scheme signs. */
interface Scheme {
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

const refusedEveryMs = 1000

export function createSigner(
  schemeName: SignatureScheme,
  readCredentials: () => Credentials,
  observer?: ReloadObserver,
): Sign {
  const prepare = schemeName === 'jws' ? prepareJws : prepareHash
  const first = readCredentials()
  let scheme: Scheme = prepare(first)
  let digest = toDigest(first)
  let refusedAt = -Infinity

  function sign(path: string, body: Buffer): SignatureHeaders {
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

  function reload(): void {
    try {
      const credentials = readSettled(readCredentials)
      const isNew = toDigest(credentials) !== digest
      if (isNew) scheme = prepare(credentials)
      digest = toDigest(credentials)
      observer?.read(isNew)
    } catch (error) {
      observer?.failed(error)
    }
  }

  function reloadAfterRefusal(): void {
    const now = performance.now()
    if (now - refusedAt < refusedEveryMs) return
    refusedAt = now
    reload()
  }

  return Object.assign(sign, { inTurns, reload, reloadAfterRefusal })
}

/** Two files cannot be read at one moment, so a pair counts once two readings agree. */
function readSettled(readCredentials: () => Credentials): Credentials {
  const credentials = readCredentials()
  if (toDigest(readCredentials()) !== toDigest(credentials))
    throw toFault('the credentials are just changing', 'EAGAIN')
  if (credentials.authId === '') throw toFault('FREEDOMPAY_AUTH_ID is empty', 'EMPTY')
  if (credentials.secretKey === '') throw toFault('FREEDOMPAY_SECRET_KEY is empty', 'EMPTY')
  const [unfit] = findUnfitCredentials(credentials)
  if (unfit !== undefined) throw toFault(unfit, 'UNFIT')
  return credentials
}

/** A sentence for each credential that cannot be used. The sentence names the setting, never the value. */
export function findUnfitCredentials({ authId, secretKey }: Credentials): string[] {
  const faults: string[] = []
  if (!/^[\x20-\x7e]*$/.test(authId)) faults.push('FREEDOMPAY_AUTH_ID must be fit for a header: one line of ASCII')
  if (/\p{Cc}/u.test(secretKey)) faults.push('FREEDOMPAY_SECRET_KEY must be one line, without control characters')
  return faults
}

function toFault(message: string, code: string): Error {
  return Object.assign(new Error(message), { code })
}

/** Tells whether the credentials have changed, without another copy of them. */
function toDigest({ authId, secretKey }: Credentials): string {
  return hash('sha256', JSON.stringify([authId, secretKey]))
}

/** A key for another purpose (RFC 5869), so that the secret key itself stays in this file. */
export function deriveKey(readCredentials: () => Credentials, purpose: string): string {
  const { authId, secretKey } = readCredentials()
  return Buffer.from(hkdfSync('sha256', secretKey, authId, `freedompay-clients ${purpose}`, 32)).toString('base64url')
}

/** Detached JWS (RFC 7515, appendix F): `X-JWS-Signature: <protected header>..<signature>`, HS512. */
function prepareJws({ authId, secretKey }: Credentials): Scheme {
  const key = createSecretKey(secretKey, 'utf8')

  /** By path; there are two. */
  const headers = new Map<string, string>()

  function headerFor(path: string): string {
    const known = headers.get(path)
    if (known !== undefined) return known
    // The documented order of members; JSON.stringify keeps it.
    const members = { uri: path, auth_id: authId, method: 'POST', params: '', alg: 'HS512' }
    const header = Buffer.from(JSON.stringify(members)).toString('base64url')
    headers.set(path, header)
    return header
  }

  return {
    begin(path) {
      const header = headerFor(path)
      const hmac = createHmac('sha512', key).update(`${header}.`)
      return {
        update: (piece) => hmac.update(piece.toString('base64url'), 'latin1'),
        headers: () => ({ 'x-jws-signature': `${header}..${hmac.digest('base64url')}` }),
      }
    },
  }
}

/** `Sign`: lower-case hex SHA-256 of the body immediately followed by the secret key. `Request-Id` is new for each call. */
function prepareHash({ authId, secretKey }: Credentials): Scheme {
  return {
    begin() {
      const hash = createHash('sha256')
      return {
        update: (piece) => hash.update(piece),
        headers: () => ({
          'request-id': randomUUID(),
          'auth-id': authId,
          sign: hash.update(secretKey).digest('hex'),
        }),
      }
    },
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
