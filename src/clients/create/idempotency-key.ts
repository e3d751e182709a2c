/** Two requests are one intent if the caller, the idempotency key and the body are the same. */
import { createHash, createHmac, createSecretKey, hash } from 'node:crypto'
import { largeBodyBytes, type Turn } from '../../large-bodies/event-loop-slices.ts'
import { Problem } from '../../problems/problem.ts'
import { type CreateClient, members } from '../body/schema.ts'

/** Our own UUID name space (RFC 9562, section 6.6). Never change this value: every key would get another request_id. */
const namespace = Buffer.from('6f1f3a525a0e4f0b9f432f4c7f0f7c1e', 'hex')

const visibleAscii = /^[\x21-\x7e]{1,255}$/
/** A String of RFC 9651, section 3.3.3: quoted, with `\"` and `\\` as its only escapes. */
const quotedString = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/

/** Both forms in one pattern, for OpenAPI. A bare key does not begin with a quotation mark. */
export const idempotencyKeyPattern = '^(?:[!#-~][!-~]{0,254}|"(?:[!#-\\[\\]-~]|\\\\["\\\\]){1,255}")$'

/**
 * The key in a header line, unquoted. Node joins several lines with ", ". A key has no space, so joined lines are refused.
 * @throws Problem invalid-idempotency-key
 */
export function readIdempotencyKey(line: string): string {
  const key = line.startsWith('"') ? quotedString.exec(line)?.[1]?.replace(/\\(.)/g, '$1') : line
  if (key === undefined || !visibleAscii.test(key)) throw new Problem('invalid-idempotency-key')
  return key
}

/**
 * The ledger's name for one key of one caller: the ledger does not hold the key itself. A key has no line break, so no two
 * pairs collide.
 */
export function toKeyId(caller: string, key: string): string {
  return toUuidV5(`${key}\n${caller}`)
}

/** Every replica computes the same request_id, also after a restart. Another body gets another request_id. */
export function toRequestId(caller: string, key: string, fingerprint: string): string {
  return toUuidV5(`${key}\n${caller}\n${fingerprint}`)
}

/** UUIDv5 (RFC 9562, section 5.5). */
function toUuidV5(name: string): string {
  const digest = hash('sha1', Buffer.concat([namespace, Buffer.from(name)]), 'hex')
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 0x3) | 0x8).toString(16)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-5${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`
}

/**
 * HMAC-SHA-256 of the canonical body. The HMAC has a key, so that a reader of the ledger cannot find the person by trying phone
 * numbers. `digestDocument` computes the digest of a large document beforehand.
 */
export type Fingerprint = (body: CreateClient, documentDigest?: string) => string

export function createFingerprint(ledgerKey: string): Fingerprint {
  const key = createSecretKey(ledgerKey, 'utf8')
  return (body, documentDigest = digestAtOnce(body)) =>
    createHmac('sha256', key).update(canonicalise(body, documentDigest)).digest('base64url')
}

function digestAtOnce({ document }: CreateClient): string | undefined {
  return document === undefined ? undefined : hash('sha256', document, 'base64url')
}

/** A piece fits into the processor's cache. */
const pieceChars = 48 * 1024
/** A slice is less than 1 ms of work. */
const sliceChars = 8 * pieceChars

/**
 * SHA-256 of the document, computed once for all fingerprints. The work is cut into slices, so that the event loop is not
 * blocked.
 */
export async function digestDocument({ document }: CreateClient, turn: Turn): Promise<string | undefined> {
  if (document === undefined) return undefined
  const digest = createHash('sha256')
  for (let start = 0; start < document.length; start += pieceChars) {
    if (start % sliceChars === 0 && document.length >= largeBodyBytes) await turn()
    digest.update(document.slice(start, start + pieceChars))
  }
  return digest.digest('base64url')
}

const sortedMembers = members.toSorted()

/**
 * The members of the body, sorted by name at every level. Absent members are left out, so a new optional member does not change
 * the fingerprints of earlier bodies. Parsing has removed white space and escapes, and strict Base64 has one form for the same
 * bytes. The document is replaced by its digest, so that the document is not copied.
 */
function canonicalise(body: CreateClient, documentDigest: string | undefined): string {
  const parts: unknown[] = []
  for (const name of sortedMembers) {
    const value = name === 'document' ? documentDigest : body[name]
    if (value !== undefined) parts.push(name, typeof value === 'object' ? sortMembers(value) : value)
  }
  return JSON.stringify(parts)
}

function sortMembers(object: object): unknown[] {
  return Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))
}
