/** What the headers of a create must say. Checked before the body is read, so that a refusal costs no upload. */
import type { FastifyRequest } from 'fastify'
import { Problem } from '../problems/problem.ts'

/** @throws Problem invalid-request */
export function requireIdempotencyKey({ headers }: FastifyRequest): void {
  if (headers['idempotency-key'] !== undefined) return
  const message = 'is required by this service; send one key with every create, and the same key with every retry'
  throw new Problem('invalid-request', { errors: [{ pointer: 'idempotency-key', message }] })
}

const contentType = 'content-type'
const plainJson = /^application\/json(?:; ?charset=(?:utf-8|"utf-8"))?$/i

/**
 * Stricter than RFC 9110's white space, so that no two parsers can disagree about the type.
 * @throws Problem invalid-request or unsupported-media-type
 */
export function requirePlainJson({ raw }: FastifyRequest): void {
  const { rawHeaders } = raw
  let lines = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === contentType.length && rawHeaders[i]?.toLowerCase() === contentType) lines++
  }
  if (lines > 1)
    throw new Problem('invalid-request', { errors: [{ pointer: contentType, message: 'must be sent once' }] })
  const isPlain = plainJson.test(raw.headers[contentType] ?? '') && raw.headers['content-encoding'] === undefined
  if (!isPlain) throw new Problem('unsupported-media-type')
}
