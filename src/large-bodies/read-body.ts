/**
 * Reads the JSON body of a request. A large body is read one piece a turn of the event loop, into reused memory, and is parsed in
 * a turn of its own. So other requests are served in between, and the garbage collector, which stops all requests, has little to do.
 */
import { isAscii, isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { Problem, retryAfter, safeToRetryUnread } from '../problems/problem.ts'
import { largeBodyBytes, type Turn } from './event-loop-slices.ts'
import { sayContinue } from './expect-continue.ts'
import type { Places } from './places.ts'

/** A document of 2 MiB takes 2.7 MiB in Base64, and some encoders escape every slash in it. */
export const bodyLimitBytes = 3 * 1024 * 1024

/** Reused memory for large bodies, free at the moment. */
const spare: Buffer<ArrayBuffer>[] = []
const maxSpare = 4

export interface Reading {
  /** Where large bodies wait between slices of work. */
  readonly turn: Turn
  /** How many of them may be read at once. */
  readonly places: Places
}

const overloadedSeconds = 1

type Done = (error: Error | null, body?: unknown) => void

/** Calls `done` with the parsed body or with Problem invalid-request, body-too-large or overloaded. */
export function readBody(payload: IncomingMessage, { turn, places }: Reading, done: Done): void {
  const declaredBytes = Number(payload.headers['content-length'])
  if (declaredBytes > bodyLimitBytes) {
    done(new Problem('body-too-large'))
    return
  }
  let hasPlace = declaredBytes >= largeBodyBytes
  if (hasPlace && !places.enter()) {
    done(noPlace(payload))
    return
  }
  const chunks: Buffer[] = []
  let length = 0
  /** Where the chunks go once there are many. */
  let large: Buffer<ArrayBuffer> | undefined
  let isOver = false

  if (payload.headers.expect !== undefined) sayContinue(payload)
  payload.on('data', collect)
  payload.on('end', parse)
  payload.on('error', fail)
  payload.resume()

  function collect(chunk: Buffer): void {
    if (length + chunk.length > bodyLimitBytes) {
      end(new Problem('body-too-large'))
      return
    }
    if (large === undefined && length + chunk.length < largeBodyBytes) {
      chunks.push(chunk)
    } else {
      if (!hasPlace && !places.enter()) {
        end(noPlace(payload))
        return
      }
      hasPlace = true
      large ??= moveTo(spare.pop() ?? Buffer.allocUnsafeSlow(bodyLimitBytes), chunks)
      chunk.copy(large, length)
      payload.pause()
      setImmediate(() => payload.resume())
    }
    length += chunk.length
  }

  function parse(): void {
    if (large === undefined) {
      parseNow(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))
      return
    }
    const body = large.subarray(0, length)
    void turn().then(() => parseNow(body))
  }

  function parseNow(body: Buffer): void {
    // By now another request may be reading into this memory.
    if (isOver) return
    let parsed: unknown
    try {
      if (large !== undefined) requireLittleStructure(body)
      parsed = parseJson(body)
    } catch (error) {
      end(error as Error)
      return
    }
    end(null, parsed)
  }

  function fail(cause: Error): void {
    end(new Problem('invalid-request', { cause }))
  }

  /** Runs once: the listeners are removed, and a parse that waits for its turn checks `isOver` first. */
  function end(error: Error | null, body?: unknown): void {
    isOver = true
    payload.off('data', collect).off('end', parse).off('error', fail)
    if (large !== undefined) putBack(large, length)
    if (hasPlace) places.leave()
    done(error, body)
  }
}

function noPlace({ headers }: IncomingMessage): Problem {
  return new Problem('overloaded', {
    detail: 'Too many large bodies are being read. Nothing was sent to FreedomPay.',
    safeToRetry: safeToRetryUnread(headers),
    headers: retryAfter(overloadedSeconds),
  })
}

/** Memory that is not kept is freed at once. Otherwise 100 MB may wait for the garbage collector. */
function putBack(buffer: Buffer<ArrayBuffer>, usedBytes: number): void {
  if (spare.length < maxSpare) spare.push(buffer.fill(0, 0, usedBytes))
  else buffer.buffer.transfer(0)
}

function moveTo(buffer: Buffer<ArrayBuffer>, chunks: readonly Buffer[]): Buffer<ArrayBuffer> {
  let length = 0
  for (const chunk of chunks) length += chunk.copy(buffer, length)
  return buffer
}

/**
 * No valid body reaches this limit: a valid body has some 30 members and some 3000 characters of text besides the document, and the
 * Base64 of a document contains none of the structural characters.
 */
const maxOfEach = 4096
const structural = Buffer.from('"[{,')

/**
 * A million brackets take the parser 400 ms, and no other request is served meanwhile. Any other body of the largest size takes at
 * most 16 ms. Counting takes 0.2 ms, as these characters are rare in a body with a document.
 * @throws Problem invalid-request
 */
function requireLittleStructure(body: Buffer): void {
  for (const character of structural) {
    let count = 0
    for (let at = body.indexOf(character); at >= 0; at = body.indexOf(character, at + 1)) {
      if (++count > maxOfEach) throw unreadableBody('must be a JSON object with the members of this contract')
    }
  }
}

/**
 * JSON.parse makes `__proto__` an ordinary member, and validation refuses unknown members. So the body needs no scan for that name.
 */
function parseJson(body: Buffer): unknown {
  // Most bodies are ASCII, which is decoded at half the cost.
  const isPlain = isAscii(body)
  if (!isPlain && !isUtf8(body)) throw unreadableBody('must be UTF-8')
  try {
    return JSON.parse(isPlain ? body.toString('latin1') : body.toString())
  } catch (error) {
    // The parser's message quotes the body, so only the position is told.
    const position = / in JSON at position (\d+)/.exec((error as Error).message)?.[1]
    throw unreadableBody(
      `must be a JSON object${position === undefined ? '' : `; unreadable at character ${position}`}`,
    )
  }
}

function unreadableBody(message: string): Problem {
  return new Problem('invalid-request', { errors: [{ pointer: '', message }] })
}
