/** FreedomPay in a simulated world: what it registers, and in which form it answers. */
import type { History, Operation, Registration, Send } from './history.ts'
import type { Course, Form, Plan, Step } from './plan.ts'

export interface Reply {
  readonly afterMs: number
  readonly statusCode: number
  readonly headers: Record<string, string>
  readonly body: string
  /** drip: byte by byte. reset: the connection ends before the answer. never: nothing comes. cut: it ends within the answer. */
  readonly way: 'whole' | 'drip' | 'reset' | 'never' | 'cut'
}

const truth: Step = { form: 'truth', acts: true, delayMs: 5 }
const notFoundCode = '1006'
const duplicateCode = '1002'
const oddCode = '7001'
const refusalCode = '1001'

export class Partner {
  private readonly plan: Plan
  private readonly history: History
  private readonly registrations = new Map<string, Registration>()
  private readonly counts = new Map<string, number>()

  constructor(plan: Plan, history: History) {
    this.plan = plan
    this.history = history
  }

  /** Takes a call that has arrived, acts, and says how to answer. `trouble` stands for the form of everybody's answer. */
  receive(now: number, send: Send, trouble: Form | undefined): Reply {
    const course = this.courseOf(send.phone)
    const step = this.stepOf(course, send, trouble)
    send.form = step.form
    const reply = send.operation === 'add' ? this.receiveAdd(now, send, course, step) : this.receiveAsk(now, send, step)
    send.words = wordsOf(reply)
    return reply
  }

  private courseOf(phone: number): Course {
    return this.plan.intents.find((intent) => intent.phone === phone)?.course ?? plainCourse
  }

  private stepOf(course: Course, { operation, phone, requestId }: Send, trouble: Form | undefined): Step {
    const key = `${operation} ${phone}`
    const count = this.counts.get(key) ?? 0
    this.counts.set(key, count + 1)
    if (trouble !== undefined) return { form: trouble, acts: trouble === 'silence' && count % 2 === 0, delayMs: 5 }
    const step = (operation === 'add' ? course.adds : course.asks)[count] ?? truth
    // Of a request that is still on its way into its books the partner can say nothing yet.
    if (
      operation === 'add' &&
      step.form === 'truth' &&
      course.registersAfterMs > 0 &&
      !this.registrations.has(requestId)
    ) {
      return { form: 'http-503', acts: true, delayMs: step.delayMs }
    }
    return step
  }

  private receiveAdd(now: number, send: Send, course: Course, step: Step): Reply {
    const known = this.registrations.get(send.requestId)
    const isKnown = known !== undefined && known.registeredAt <= now && known.forgottenAt > now
    const acts = step.form === 'truth' || step.acts
    const repeats = isKnown && step.form === 'truth' ? this.plan.repeats : undefined
    if (repeats === 'refuses') return answer(step, errorBody(duplicateCode))
    if (repeats === 'refuses-oddly') return answer(step, errorBody(oddCode))
    if (repeats === 'answers-again') return answer(step, stateBody(known as Registration, now, 'add'))
    if (course.fate === 'refused') return this.replyTo(step, errorBody(refusalCode))
    const registration = acts ? this.register(now, send, course, known) : known
    return this.replyTo(step, registration === undefined ? errorBody(refusalCode) : stateBody(registration, now, 'add'))
  }

  private register(now: number, send: Send, course: Course, known: Registration | undefined): Registration {
    const isRepetition = known !== undefined
    const takesIt = this.plan.repeats === 'accepts' || (known !== undefined && known.forgottenAt <= now)
    const registeredAt = now + (isRepetition ? 0 : course.registersAfterMs)
    if (known !== undefined && !takesIt) {
      // What comes first into its books counts; the other finds the request_id taken.
      if (known.registeredAt > registeredAt) {
        known.createdAt -= known.registeredAt - registeredAt
        known.registeredAt = registeredAt
      }
      return known
    }
    const { forgetsAfterMs, fate, decidesAfterMs } = course
    const number = this.history.registrations.length
    const registration: Registration = {
      requestId: send.requestId,
      phone: send.phone,
      clientId: number % 3 === 0 ? String(700_000 + number) : `client-${number}`,
      sentAt: send.at,
      registeredAt,
      createdAt:
        fate === 'created' ? registeredAt : fate === 'process-created' ? registeredAt + decidesAfterMs : Infinity,
      forgottenAt: forgetsAfterMs === undefined ? Infinity : registeredAt + forgetsAfterMs,
    }
    this.history.registrations.push(registration)
    this.registrations.set(send.requestId, registration)
    return registration
  }

  private receiveAsk(now: number, send: Send, step: Step): Reply {
    const known = this.registrations.get(send.requestId)
    const isKnown = known !== undefined && known.registeredAt <= now && known.forgottenAt > now
    if (isKnown) return this.replyTo(step, stateBody(known, now, 'status', this.decisionOf(known)))
    // A partner may be wrong about much, but does not say of what it never had that it has it.
    if (step.form !== 'truth' && step.form !== 'duplicate') return this.replyTo(step, errorBody(notFoundCode))
    if (this.plan.seed % 3 === 0) return { ...answer(step, '{"status":"error"}'), statusCode: 404 }
    return answer(step, errorBody(notFoundCode))
  }

  /** When a request in work is refused after all. */
  private decisionOf({ phone, registeredAt }: Registration): number {
    const { fate, decidesAfterMs } = this.courseOf(phone)
    return fate === 'process-rejected' ? registeredAt + decidesAfterMs : Infinity
  }

  private replyTo(step: Step, body: string): Reply {
    const replace = disturbed[step.form]
    return replace === undefined ? answer(step, body) : { ...answer(step, body), ...replace(body) }
  }
}

const plainCourse: Course = {
  fate: 'created',
  decidesAfterMs: 0,
  registersAfterMs: 0,
  forgetsAfterMs: undefined,
  adds: [],
  asks: [],
}

function answer({ delayMs }: Step, body: string): Reply {
  return { afterMs: delayMs, statusCode: 200, headers: {}, body, way: 'whole' }
}

function errorBody(code: string): string {
  return `{"status":"error","request_status":"error","error_code":"${code}","error_description":"No"}`
}

function stateBody(registration: Registration, now: number, operation: Operation, rejectedAt = Infinity): string {
  if (now >= rejectedAt) return '{"status":"ok","request_status":"error","error_code":"1001"}'
  if (now < registration.createdAt) return '{"status":"ok","request_status":"process"}'
  if (operation === 'add') return '{"status":"ok","request_status":"success"}'
  const { clientId } = registration
  return `{"status":"ok","request_status":"success","client_id":${/^\d+$/.test(clientId) ? clientId : `"${clientId}"`}}`
}

const html = '<!doctype html><title>Please wait</title>'
/** Longer than any answer may be. */
const hugeBody = 'x'.repeat(300 * 1024)
const withId = (id: string) => () => ({ body: `{"status":"ok","request_status":"success","client_id":${id}}` })

/** What of an answer is not as it should be. */
const disturbed: Partial<Record<Form, (body: string) => Partial<Reply>>> = {
  'http-500': (body) => ({ statusCode: 500, body }),
  'http-503': () => ({ statusCode: 503, body: html }),
  'html-200': () => ({ body: html }),
  'html-404': () => ({ statusCode: 404, body: html }),
  'json-404': () => ({ statusCode: 404 }),
  'http-400': () => ({ statusCode: 400 }),
  'http-401': () => ({ statusCode: 401 }),
  'http-403': () => ({ statusCode: 403 }),
  'http-429': () => ({ statusCode: 429, headers: { 'retry-after': '1' } }),
  'http-202': () => ({ statusCode: 202 }),
  'http-302': () => ({ statusCode: 302, headers: { location: 'https://elsewhere.example/' } }),
  empty: () => ({ body: '' }),
  truncated: (body) => ({ way: 'cut', body: body.slice(0, body.length / 2) }),
  reset: () => ({ way: 'reset' }),
  silence: () => ({ way: 'never' }),
  drip: () => ({ way: 'drip' }),
  huge: () => ({ body: hugeBody }),
  'unknown-word': () => ({ body: '{"status":"ok","request_status":"in_review"}' }),
  'unknown-status': () => ({ body: '{"status":"perhaps","request_status":"success"}' }),
  'missing-member': () => ({ body: '{"request_status":"success"}' }),
  'ok-error': () => ({ body: '{"status":"ok","request_status":"error"}' }),
  'error-error': () => ({ body: '{"status":"error","request_status":"error","error_description":"System busy"}' }),
  'error-alone': () => ({ body: '{"status":"error","error_description":"System busy"}' }),
  duplicate: () => ({ body: errorBody(duplicateCode) }),
  'unsafe-id': withIdIfCreated('9007199254740993'),
  'blank-id': withIdIfCreated('"  "'),
  'long-id': withIdIfCreated(`"${'x'.repeat(129)}"`),
  'control-id': withIdIfCreated('"a\\u0007b"'),
  'no-id': (body) => (body.includes('client_id') ? { body: '{"status":"ok","request_status":"success"}' } : {}),
}

/** Only of a client that is there an id can be told, be it a wrong one. */
function withIdIfCreated(id: string) {
  const replace = withId(id)
  return (body: string) => (body.includes('client_id') ? replace() : {})
}

function wordsOf({ statusCode, body, way }: Reply): string {
  if (way !== 'whole' && way !== 'drip') return way
  const words = statusCode === 200 ? wordsIn(body) : undefined
  return words ?? `HTTP ${statusCode}${body.startsWith('{') ? ' with JSON' : ''}`
}

/** There are few bodies, and each comes often. */
const knownWords = new Map<string, string | undefined>()

function wordsIn(body: string): string | undefined {
  if (!knownWords.has(body)) {
    const words = /^\{"status":"(\w+)"(?:,"request_status":"(\w+)")?(?:,"error_code":"(\w+)")?/.exec(body)
    knownWords.set(body, words?.slice(1).filter(Boolean).join('+'))
  }
  return knownWords.get(body)
}
