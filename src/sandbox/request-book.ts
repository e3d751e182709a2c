/** The requests that the sandbox remembers: ids and times, never a phone number or a body. */
import { randomUUID } from 'node:crypto'
import { ageAtCreation, type Course, type State, stateAt, type Timings } from './scenarios.ts'

export interface SandboxClient {
  readonly requestId: string
  readonly clientId: string
  /** RFC 3339. */
  readonly createdAt: string
}

export interface RegisteredRequest {
  readonly requestId: string
  readonly clientId: string
  readonly registeredAtMs: number
  readonly course: Course
  questions: number
}

export class RequestBook {
  /** The first request of each request_id. A status call is answered from this request. */
  private readonly firsts = new Map<string, RegisteredRequest>()
  /** All requests, also repeated ones, in the order of arrival. */
  private readonly registered = new Set<RegisteredRequest>()
  private readonly throttledIds = new Set<string>()
  private readonly timings: Timings
  private readonly maxRequests: number

  constructor(timings: Timings, maxRequests: number) {
    this.timings = timings
    this.maxRequests = maxRequests
  }

  find(requestId: string): RegisteredRequest | undefined {
    return this.firsts.get(requestId)
  }

  register(requestId: string, course: Course): void {
    const request = { requestId, clientId: randomUUID(), registeredAtMs: Date.now(), course, questions: 0 }
    if (!this.firsts.has(requestId)) this.firsts.set(requestId, request)
    this.registered.add(request)
    dropOldest(this.firsts, this.maxRequests)
    dropOldest(this.registered, this.maxRequests)
  }

  /** True at the first call for a request_id. */
  throttle(requestId: string): boolean {
    if (this.throttledIds.has(requestId)) return false
    this.throttledIds.add(requestId)
    dropOldest(this.throttledIds, this.maxRequests)
    return true
  }

  stateOf({ course, registeredAtMs }: RegisteredRequest): State {
    return stateAt(course, Date.now() - registeredAtMs, this.timings)
  }

  /** The state for the answer to a question. A scenario may define another state for the first question. */
  ask(request: RegisteredRequest): State {
    const isFirst = request.questions++ === 0
    return (isFirst ? request.course.firstQuestion : undefined) ?? this.stateOf(request)
  }

  /** The clients that exist now, oldest request first. */
  clients(): SandboxClient[] {
    const nowMs = Date.now()
    const existing: SandboxClient[] = []
    for (const { requestId, clientId, registeredAtMs, course } of this.registered) {
      const createdAtMs = registeredAtMs + ageAtCreation(course, this.timings)
      if (createdAtMs > nowMs) continue
      existing.push({ requestId, clientId, createdAt: new Date(createdAtMs).toISOString() })
    }
    return existing
  }
}

/** Relies on the order of sets and maps: oldest entry first. */
function dropOldest<Key>(collection: Map<Key, unknown> | Set<Key>, max: number): void {
  for (const key of collection.keys()) {
    if (collection.size <= max) return
    collection.delete(key)
  }
}
