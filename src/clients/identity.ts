/** What makes two requests one intent: the caller, its Idempotency-Key, and the body. */
import { createHmac, createSecretKey } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { v5 as uuidv5 } from 'uuid'
import { Problem } from '../problems.ts'
import { type CreateClient, members } from './schema.ts'

/** A name space of our own (RFC 9562, section 6.6): changing it would forget which request_id each key stands for. */
const keyNamespace = '6f1f3a52-5a0e-4f0b-9f43-2f4c7f0f7c1e'

const visibleAscii = /^[\x21-\x7e]{1,255}$/
/** A String of RFC 9651, section 3.3.3: quoted, with `\"` and `\\` as its only escapes. */
const quotedString = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/

/**
 * The `Idempotency-Key` of a request, unquoted, or undefined.
 * @throws Problem invalid-idempotency-key
 */
export function readIdempotencyKey({ headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>): string | undefined {
  const lines = headersDistinct['idempotency-key']
  if (lines === undefined) return undefined
  const [line = ''] = lines
  const key = line.startsWith('"') ? quotedString.exec(line)?.[1]?.replace(/\\(.)/g, '$1') : line
  if (lines.length > 1 || key === undefined || !visibleAscii.test(key)) throw new Problem('invalid-idempotency-key')
  return key
}

/** The same for every replica and after every restart. A key holds no line break, so no two pairs give the same name. */
export function toRequestId(caller: string, key: string): string {
  return uuidv5(`${key}\n${caller}`, keyNamespace)
}

/** HMAC-SHA-256 of the canonical body: keyed, so that nobody can find the person by trying phone numbers. */
export type Fingerprint = (body: CreateClient) => string

export function createFingerprint(ledgerKey: string): Fingerprint {
  const key = createSecretKey(ledgerKey, 'utf8')
  return (body) => createHmac('sha256', key).update(canonicalise(body)).digest('base64url')
}

const sortedMembers = members.toSorted()

/**
 * The members that are there, in the order of their names, at every level; so a contract that grows leaves the fingerprints of
 * earlier bodies as they are. White space and escapes are gone with parsing, and strict Base64 has one form for the same bytes.
 */
function canonicalise(body: CreateClient): string {
  const parts: unknown[] = []
  for (const name of sortedMembers) {
    const value = body[name]
    if (value !== undefined) parts.push(name, typeof value === 'object' ? sortMembers(value) : value)
  }
  return JSON.stringify(parts)
}

function sortMembers(object: object): unknown[] {
  return Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))
}
