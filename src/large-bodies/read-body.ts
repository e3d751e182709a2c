/**
 * Reads the JSON body of a request. A large body is read one piece a turn of the event loop, into reused memory, and is parsed in
 * a turn of its own. So other requests are served in between.
 */
import type { IncomingMessage } from 'node:http'
import { Problem, retryAfter, safeToRetryUnread } from '../problems/problem.ts'
import { largeBodyBytes, type Turn } from './event-loop-slices.ts'
import { sayContinue } from './expect-continue.ts'
import { parseJson, requireLittleStructure } from './parse-body.ts'
import type { RefusalPace } from './refusal-pace.ts'
import { putBack, takeBuffer } from './spare-memory.ts'

/** A document of 2 MiB takes 2.7 MiB in Base64, and some encoders escape every slash in it. */
export const bodyLimitBytes = 3 * 1024 * 1024

/** Limits how many large bodies are read at once. There is no queue: a caller that is refused may try another replica. */
export interface Places {
  /** Takes a place for the caller; false where it gets none. */
  enter(caller: string): boolean
  leave(caller: string): void
}

export interface Reading {
  /** Where large bodies wait between slices of work. */
  readonly turn: Turn
  readonly places: Places
  /** For the refusal of a large body that was read. */
  readonly paceRefusal: RefusalPace
}

const overloadedSeconds = 1

type Done = (error: Error | null, body?: unknown) => void

/** Calls `done` with the parsed body or with Problem invalid-request, body-too-large or overloaded. */
export function readBody(payload: IncomingMessage, caller: string, reading: Reading, done: Done): void {
  const declaredBytes = Number(payload.headers['content-length'])
  if (declaredBytes > bodyLimitBytes) {
    done(new Problem('body-too-large'))
    return
  }
  const isLarge = declaredBytes >= largeBodyBytes
  if (isLarge && !reading.places.enter(caller)) {
    done(noPlace(payload))
    return
  }
  new BodyReader(payload, caller, reading, done, isLarge).start()
}

/** The state of one body. Its listeners are members, so that they can be removed. */
class BodyReader {
  private readonly payload: IncomingMessage
  private readonly caller: string
  private readonly reading: Reading
  private readonly done: Done
  private readonly chunks: Buffer[] = []
  private length = 0
  /** Where the chunks go once there are many. */
  private large: Buffer<ArrayBuffer> | undefined
  private hasPlace: boolean
  private isOver = false

  constructor(payload: IncomingMessage, caller: string, reading: Reading, done: Done, hasPlace: boolean) {
    this.payload = payload
    this.caller = caller
    this.reading = reading
    this.done = done
    this.hasPlace = hasPlace
  }

  start(): void {
    const payload = this.payload
    if (payload.headers.expect !== undefined) sayContinue(payload)
    payload.on('data', this.collect)
    payload.on('end', this.parse)
    payload.on('error', this.fail)
    payload.resume()
  }

  private readonly collect = (chunk: Buffer): void => {
    const length = this.length + chunk.length
    if (length > bodyLimitBytes) {
      this.end(new Problem('body-too-large'))
      return
    }
    if (this.large === undefined && length < largeBodyBytes) {
      this.chunks.push(chunk)
    } else {
      this.hasPlace ||= this.reading.places.enter(this.caller)
      if (!this.hasPlace) {
        this.end(noPlace(this.payload))
        return
      }
      this.copy(chunk)
    }
    this.length = length
  }

  private copy(chunk: Buffer): void {
    const payload = this.payload
    this.large ??= joinInto(takeBuffer(bodyLimitBytes), this.chunks)
    chunk.copy(this.large, this.length)
    payload.pause()
    setImmediate(() => payload.resume())
  }

  private readonly parse = (): void => {
    const chunks = this.chunks
    if (this.large === undefined) {
      this.parseNow(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))
      return
    }
    const body = this.large.subarray(0, this.length)
    void this.reading.turn().then(() => this.parseNow(body))
  }

  private parseNow(body: Buffer): void {
    // By now another request may be reading into this memory.
    if (this.isOver) return
    let parsed: unknown
    try {
      if (this.large !== undefined) requireLittleStructure(body)
      parsed = parseJson(body)
    } catch (error) {
      this.refuse(error as Error)
      return
    }
    this.end(null, parsed)
  }

  private readonly fail = (cause: Error): void => {
    this.end(new Problem('invalid-request', { cause }))
  }

  /** The refusal waits without the memory and without the place of the body. */
  private refuse(error: Error): void {
    this.release()
    if (this.large === undefined) this.done(error)
    else this.reading.paceRefusal(this.length, () => this.done(error))
  }

  private end(error: Error | null, body?: unknown): void {
    this.release()
    this.done(error, body)
  }

  /** Runs once: the listeners are removed, and a parse that waits for its turn checks `isOver` first. */
  private release(): void {
    this.isOver = true
    this.payload.off('data', this.collect).off('end', this.parse).off('error', this.fail)
    if (this.large !== undefined) putBack(this.large, this.length)
    if (this.hasPlace) this.reading.places.leave(this.caller)
  }
}

function noPlace({ headers }: IncomingMessage): Problem {
  return new Problem('overloaded', {
    detail: 'Too many large bodies are being read. Nothing was sent to FreedomPay.',
    safeToRetry: safeToRetryUnread(headers),
    headers: retryAfter(overloadedSeconds),
  })
}

function joinInto(buffer: Buffer<ArrayBuffer>, chunks: readonly Buffer[]): Buffer<ArrayBuffer> {
  let length = 0
  for (const chunk of chunks) length += chunk.copy(buffer, length)
  return buffer
}
