/** The body of one call to the Card API: its bytes, then its members. */
import type { IncomingMessage } from 'node:http'

// Twice the size of a call with the largest document.
const maxBodyBytes = 6 * 1024 * 1024

/** A body over the limit is read to its end but not kept: a caller reads the answer only after the upload. */
export async function readBody(req: IncomingMessage): Promise<Buffer | 'too large' | 'hung up'> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of req as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > maxBodyBytes) chunks.length = 0
      else chunks.push(chunk)
    }
  } catch {
    return 'hung up'
  }
  return length > maxBodyBytes ? 'too large' : Buffer.concat(chunks, length)
}

interface Validator<T> {
  Check(value: unknown): value is T
  Errors(value: unknown): { keyword: string; instancePath: string }[]
}

/** The fault names the first wrong member. An unknown member is not named: its name is the caller's text. */
export function parseBody<T>(validator: Validator<T>, body: Buffer): { value: T } | { fault: string } {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch {
    return { fault: 'Wrong input: not JSON' }
  }
  if (validator.Check(value)) return { value }
  const error = validator.Errors(value).find(({ keyword }) => keyword !== 'boolean')
  return { fault: `Wrong input at ${error?.instancePath || '/'}` }
}
