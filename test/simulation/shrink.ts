/** Makes a world smaller that breaks a promise, as long as it still breaks the same one. */
import type { Call, Course, Intent, Plan, Settings } from './plan.ts'

type Fails = (plan: Plan) => Promise<boolean>

const plainSettings: Partial<Settings> = {
  scheme: 'jws',
  deadlineMs: 25_000,
  waitMs: 5_000,
  connectTimeoutMs: 3_000,
  timeoutMs: 15_000,
  settleMs: 2_000,
  absentMs: 60_000,
  doubtMs: 60_000,
  resends: true,
  places: 64,
  waiting: 2_000,
  concurrency: 16,
  retentionMs: 168 * 3_600_000,
}

/** The smaller plans that one step leads to, the greatest steps first. */
function* smaller(plan: Plan): Generator<Plan> {
  const half = Math.ceil(plan.calls.length / 2)
  if (plan.calls.length > 3) {
    yield { ...plan, calls: plan.calls.slice(0, half) }
    yield { ...plan, calls: plan.calls.slice(half) }
  }
  for (const index of plan.faults.keys()) yield { ...plan, faults: plan.faults.toSpliced(index, 1) }
  for (const index of plan.calls.keys()) yield { ...plan, calls: plan.calls.toSpliced(index, 1) }
  if (plan.replicas > 1) yield { ...plan, replicas: plan.replicas - 1 }
  if (plan.ledgerMs > 0) yield { ...plan, ledgerMs: 0 }
  if (plan.networkMs > 1) yield { ...plan, networkMs: 1 }
  if (plan.repeats !== 'refuses') yield { ...plan, repeats: 'refuses' }
  for (const [name, value] of Object.entries(plainSettings)) {
    if (plan.settings[name as keyof Settings] !== value)
      yield { ...plan, settings: { ...plan.settings, [name]: value } }
  }
  for (const [index, call] of plan.calls.entries()) {
    for (const simpler of simplerCalls(call)) yield { ...plan, calls: plan.calls.with(index, simpler) }
  }
  for (const [index, intent] of plan.intents.entries()) {
    for (const course of simplerCourses(intent))
      yield { ...plan, intents: plan.intents.with(index, { ...intent, course }) }
  }
}

function* simplerCalls(call: Call): Generator<Call> {
  if (call.tries > 1) yield { ...call, tries: call.tries - 1 }
  if (call.habit !== 'leaves') yield { ...call, habit: 'leaves' }
  if (call.wait !== undefined) yield { ...call, wait: undefined }
  if (call.at !== 0) yield { ...call, at: 0 }
}

function* simplerCourses({ course }: Intent): Generator<Course> {
  if (course.fate !== 'created') yield { ...course, fate: 'created' }
  if (course.registersAfterMs > 0) yield { ...course, registersAfterMs: 0 }
  if (course.forgetsAfterMs !== undefined) yield { ...course, forgetsAfterMs: undefined }
  for (const index of course.adds.keys()) yield { ...course, adds: course.adds.toSpliced(index, 1) }
  for (const index of course.asks.keys()) yield { ...course, asks: course.asks.toSpliced(index, 1) }
  for (const [index, step] of course.adds.entries()) {
    if (step.delayMs !== 5) yield { ...course, adds: course.adds.with(index, { ...step, delayMs: 5 }) }
  }
  for (const [index, step] of course.asks.entries()) {
    if (step.form !== 'truth') yield { ...course, asks: course.asks.with(index, { ...step, form: 'truth' }) }
    if (step.delayMs !== 5) yield { ...course, asks: course.asks.with(index, { ...step, delayMs: 5 }) }
  }
}

export async function shrink(plan: Plan, fails: Fails): Promise<Plan> {
  for (;;) {
    const next = await firstThatFails(plan, fails)
    if (next === undefined) return plan
    plan = next
  }
}

async function firstThatFails(plan: Plan, fails: Fails): Promise<Plan | undefined> {
  for (const candidate of smaller(plan)) {
    if (await fails(candidate)) return candidate
  }
  return undefined
}
