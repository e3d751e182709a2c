/** The scenarios of the sandbox. The last three digits of the client's phone number choose the scenario. */

/** The durations in the scenarios, in milliseconds. Tests use shorter durations. */
export interface Timings {
  readonly processingMs: number
  readonly failingMs: number
  readonly byteIntervalMs: number
  readonly unknownWordMs: number
  /** The time until a create that was answered with 502 is registered. */
  readonly lateMs: number
  /** The time during which a gateway answers instead of FreedomPay. */
  readonly hiddenMs: number
}

export const defaultTimings: Timings = {
  processingMs: 2_000,
  failingMs: 1_000,
  byteIntervalMs: 500,
  unknownWordMs: 60_000,
  lateMs: 8_000,
  hiddenMs: 2_000,
}

export interface State {
  /** The part of the answer that holds the state, in both calls. */
  readonly says: {
    readonly status: 'ok' | 'error'
    readonly request_status: string
    readonly error_code?: string
    readonly error_description?: string
  }
  readonly clientExists: boolean
  /** Only a finished request has a `client_id` in the answer. `unsafe`: the id is a number that JavaScript cannot hold. */
  readonly tellsClientId: boolean | 'unsafe'
  /** The answer to a question instead of the state: "no such request", or a gateway's page. */
  readonly isHiddenBy?: 'no such request' | 'html 404'
}

const refusal = { error_code: '1001', error_description: 'The client was refused (sandbox)' }

const done: State = { says: { status: 'ok', request_status: 'success' }, clientExists: true, tellsClientId: true }
const inWork: State = { says: { status: 'ok', request_status: 'process' }, clientExists: false, tellsClientId: false }
const failed: State = {
  says: { status: 'ok', request_status: 'error', ...refusal },
  clientExists: false,
  tellsClientId: false,
}
const rejected: State = {
  says: { status: 'error', request_status: 'error', ...refusal },
  clientExists: false,
  tellsClientId: false,
}
const busy: State = {
  says: { status: 'error', request_status: 'error', error_code: '1999', error_description: 'System busy (sandbox)' },
  clientExists: false,
  tellsClientId: false,
}
const notYet: State = { ...inWork, isHiddenBy: 'no such request' }
const hidden: State = { ...done, isHiddenBy: 'html 404' }
const doneWithUnsafeId: State = { ...done, tellsClientId: 'unsafe' }
const inReview: State = {
  says: { status: 'ok', request_status: 'in_review' },
  clientExists: true,
  tellsClientId: false,
}

/** The course of a registered request: one state, or one state and a next state after some time. */
export interface Course {
  readonly first: State
  readonly next?: { readonly state: State; readonly after: keyof Timings }
  /** The state for the first question, at any time. */
  readonly firstQuestion?: State
}

export type AddBehaviour =
  | 'answers'
  | 'answers html'
  | 'answers one byte at a time'
  | 'answers 401'
  | 'answers 500'
  | 'answers 502'
  | 'answers 429 once'
  | 'cuts the connection'
  | 'never answers'

export interface Scenario {
  readonly name: string
  readonly add: AddBehaviour
  /** `null`: the sandbox does not register the request, so a status call does not find the request. */
  readonly registers: Course | null
}

const success: Scenario = { name: 'success', add: 'answers', registers: { first: done } }

const scenarios: Readonly<Record<string, Scenario>> = {
  '001': {
    name: 'process, then success',
    add: 'answers',
    registers: { first: inWork, next: { state: done, after: 'processingMs' } },
  },
  '002': { name: 'rejected', add: 'answers', registers: { first: rejected } },
  '003': { name: 'created, then the connection is cut', add: 'cuts the connection', registers: { first: done } },
  '004': { name: 'created, never answers', add: 'never answers', registers: { first: done } },
  '005': { name: 'never answers, not created', add: 'never answers', registers: null },
  '006': { name: 'HTTP 500, not created', add: 'answers 500', registers: null },
  '007': { name: 'created, answers HTML', add: 'answers html', registers: { first: done } },
  '008': { name: 'created, answers slowly', add: 'answers one byte at a time', registers: { first: done } },
  '009': { name: 'HTTP 429, then works', add: 'answers 429 once', registers: { first: done } },
  '010': { name: 'process for ever', add: 'answers', registers: { first: inWork } },
  '011': { name: 'HTTP 401', add: 'answers 401', registers: null },
  '012': {
    name: 'an unknown word, then success',
    add: 'answers',
    registers: { first: inReview, next: { state: done, after: 'unknownWordMs' } },
  },
  '013': {
    name: 'process, then error',
    add: 'answers',
    registers: { first: inWork, next: { state: failed, after: 'failingMs' } },
  },
  '014': {
    name: 'HTTP 502, registered later',
    add: 'answers 502',
    registers: { first: notYet, next: { state: done, after: 'lateMs' } },
  },
  '015': {
    name: 'process, then one error to a question, then success',
    add: 'answers',
    registers: { first: inWork, next: { state: done, after: 'processingMs' }, firstQuestion: busy },
  },
  '016': {
    name: 'created, the connection is cut, and a gateway answers the status with an HTML 404',
    add: 'cuts the connection',
    registers: { first: hidden, next: { state: done, after: 'hiddenMs' } },
  },
  '017': { name: 'created, client_id as an unsafe number', add: 'answers', registers: { first: doneWithUnsafeId } },
}

export function chooseScenario(phone: number): Scenario {
  return scenarios[String(phone % 1000).padStart(3, '0')] ?? success
}

/** Computed from the age of the request at each question, so that the sandbox needs no timers. */
export function stateAt(course: Course, ageMs: number, timings: Timings): State {
  return course.next !== undefined && ageMs >= timings[course.next.after] ? course.next.state : course.first
}

/** The age of the request, in milliseconds, at which the client is created; `Infinity`: never. */
export function ageAtCreation(course: Course, timings: Timings): number {
  if (course.first.clientExists) return 0
  return course.next?.state.clientExists ? timings[course.next.after] : Number.POSITIVE_INFINITY
}
