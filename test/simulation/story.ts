/** A world in plain words, in the order in which things happened. */
import type { History } from './history.ts'
import { type BrokenPromise, describe } from './promises.ts'

interface Line {
  readonly at: number
  readonly text: string
}

export function tellStory(history: History, broken: readonly BrokenPromise[]): string {
  const { plan } = history
  const lines = [...linesOf(history)].filter(({ at }) => at <= history.endedAt).sort((a, b) => a.at - b.at)
  return [
    `seed ${plan.seed}: ${plan.replicas} replica(s), a partner that ${plan.repeats} a repetition, ${describeSettings(history)}`,
    ...plan.faults.map((fault) => `to go wrong: ${JSON.stringify(fault)}`),
    ...lines.map(({ at, text }) => `${(at / 1000).toFixed(4).padStart(11)} s  ${text}`),
    ...broken.map(({ promise, text }) => `BROKEN ${promise}: ${text}`),
  ].join('\n')
}

function describeSettings({ plan: { settings } }: History): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}

function* linesOf(history: History): Generator<Line> {
  const short = (id: string | undefined) => id?.slice(0, 8) ?? '-'
  for (const { at, text } of history.incidents) yield { at, text: `** ${text}` }
  for (const statement of history.statements) {
    const { number, method, replica, intent, key, wait: preference, startedAt } = statement
    const person = history.plan.intents[intent]
    const wait =
      preference === undefined
        ? ''
        : `, Prefer: ${typeof preference === 'number' ? `wait=${preference / 1000}` : 'respond-async'}`
    const what =
      method === 'POST'
        ? `POST person ${intent} of ${person?.caller}, ${key ?? 'no key'}${wait}`
        : `GET ${short(statement.requestId)}`
    yield { at: startedAt, text: `#${number} ${what} → replica ${replica}` }
  }
  for (const { at, requestId, from, to } of history.changes)
    yield { at, text: `   row ${short(requestId)}: ${from} → ${to}` }
  for (const send of history.sends) {
    const { at, replica, operation, requestId, arrivedAt, words, form, answeredAt } = send
    yield { at, text: `replica ${replica} sends ${operation} ${short(requestId)}` }
    if (arrivedAt === undefined) continue
    yield {
      at: arrivedAt,
      text: `the partner gets ${operation} ${short(requestId)}, means ${words}${form === 'truth' ? '' : ` (${form})`}`,
    }
    if (answeredAt !== undefined)
      yield { at: answeredAt, text: `replica ${replica} has the answer to ${operation} ${short(requestId)}: ${words}` }
  }
  for (const { registeredAt, createdAt, forgottenAt, requestId, clientId } of history.registrations) {
    yield { at: registeredAt, text: `the partner registers ${short(requestId)}` }
    if (createdAt < Infinity) yield { at: createdAt, text: `the client ${clientId} of ${short(requestId)} exists` }
    if (forgottenAt < Infinity) yield { at: forgottenAt, text: `the partner forgets ${short(requestId)}` }
  }
  for (const statement of history.statements) {
    const { number, at, idempotencyStatus } = statement
    const words = describe(statement).replace(/^.*told at [^:]*: /, '')
    yield { at, text: `#${number} ← ${words}${idempotencyStatus === undefined ? '' : ` (${idempotencyStatus})`}` }
  }
}
