/** A create as bytes, serialised once: the signed bytes are the sent bytes, and every send has the same bytes. */
import { largeBodyBytes } from '../large-bodies/event-loop-slices.ts'
import type { AddClientRequest } from './schema.ts'

export interface EncodedRequest {
  readonly requestId: string
  readonly body: Buffer
}

export function encodeRequest(request: AddClientRequest): EncodedRequest {
  const { document } = request.client
  const isLarge = document !== undefined && document.length >= largeBodyBytes
  const body = isLarge ? encodeAround(request, document) : Buffer.from(JSON.stringify(request))
  return { requestId: request.request_id, body }
}

/** A UUID needs no escapes. */
export function encodeStatusRequest(requestId: string): Buffer {
  return Buffer.from(`{"request_id":"${requestId}"}`, 'latin1')
}

/** Occurs once in the text: within a value its quotes would be escaped. */
const emptyDocument = '"document":""'

/**
 * Gives the same bytes as JSON.stringify, but copies the megabytes of a document once instead of three times: Base64 needs no
 * escapes and takes one byte a character.
 */
function encodeAround(request: AddClientRequest, document: string): Buffer {
  const text = JSON.stringify({ ...request, client: { ...request.client, document: '' } })
  const at = text.indexOf(emptyDocument) + emptyDocument.length - 1
  const [head, tail] = [text.slice(0, at), text.slice(at)]
  const body = Buffer.allocUnsafe(Buffer.byteLength(head) + document.length + Buffer.byteLength(tail))
  let offset = body.write(head)
  offset += body.write(document, offset, 'latin1')
  body.write(tail, offset)
  return body
}
