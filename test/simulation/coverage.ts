/** What a run must have visited: coverage of the world, not of lines. */
import { predecessors } from '../../src/ledger/states.ts'
import type { History, Send, Statement } from './history.ts'

type Seen = (history: History) => boolean

const heard =
  (operation: Send['operation'], is: (send: Send) => boolean): Seen =>
  ({ sends }) =>
    sends.some((send) => send.operation === operation && send.answeredAt !== undefined && is(send))
const told =
  (is: (statement: Statement) => boolean): Seen =>
  ({ statements }) =>
    statements.some(is)
const toldCode = (code: string): Seen => told((statement) => statement.code === code)
const started =
  (prefix: string) =>
  ({ words }: Send) =>
    words.startsWith(prefix)
const inForm =
  (...forms: readonly string[]) =>
  ({ form }: Send) =>
    form !== undefined && forms.includes(form)

/** The rows of the outcome table, in the words of the contract. */
const rows: Readonly<Record<string, Seen>> = {
  'too many in flight': toldCode('overloaded'),
  'provably not sent, or throttled': toldCode('partner-unavailable'),
  'the ledger cannot be written': toldCode('ledger-unavailable'),
  'worked on elsewhere': toldCode('request-in-progress'),
  'the key came before with another body': toldCode('idempotency-key-reused'),
  'add: ok + success': heard('add', started('ok+success')),
  'add: ok + process': heard('add', started('ok+process')),
  'add: error': heard('add', started('error+error+1001')),
  'add: error with a code that nobody knows': heard('add', started('error+error+7001')),
  'add: request_id not unique': heard('add', started('error+error+1002')),
  'add: no answer in time': ({ sends }) =>
    sends.some(({ operation, words }) => operation === 'add' && words === 'never'),
  'add: reset after sending': ({ sends }) =>
    sends.some(({ operation, words }) => operation === 'add' && words === 'reset'),
  'add: truncated': ({ sends }) => sends.some(({ operation, words }) => operation === 'add' && words === 'cut'),
  'add: unreadable': heard('add', inForm('html-200', 'empty')),
  'add: too long': ({ sends }) => sends.some(({ operation, form }) => operation === 'add' && form === 'huge'),
  'add: 5xx': heard('add', inForm('http-500', 'http-503')),
  'add: other 2xx': heard('add', inForm('http-202')),
  'add: other 3xx': heard('add', inForm('http-302')),
  'add: other 4xx': heard('add', inForm('http-400', 'html-404')),
  'add: 401, 403': toldCode('partner-misconfigured'),
  'add: 429': heard('add', inForm('http-429')),
  'add: ok + error': heard('add', inForm('ok-error')),
  'add: an unknown word': heard('add', inForm('unknown-word', 'unknown-status')),
  'add: a missing member': heard('add', inForm('missing-member')),
  'status: a client_id that is no id': heard(
    'status',
    (send) => send.words === 'ok+success' && inForm('unsafe-id', 'blank-id', 'long-id', 'control-id')(send),
  ),
  'status: no client_id': heard('status', (send) => send.words === 'ok+success' && send.form === 'no-id'),
  'status: ok + error': heard('status', started('ok+error')),
  'status: error + error': heard('status', inForm('error-error')),
  'status: error alone': heard('status', inForm('error-alone')),
  'status: no such request, by its code': heard('status', started('error+error+1006')),
  'status: no such request, by 404 with JSON': heard('status', ({ words }) => words === 'HTTP 404 with JSON'),
  'status: 404 with HTML': heard('status', inForm('html-404')),
  'status: request_id not unique': heard('status', inForm('duplicate')),
  'status: cut by our own deadline': ({ sends }) =>
    sends.some(({ operation, words }) => operation === 'status' && words === 'never'),
  'status: 429': heard('status', inForm('http-429')),
  'status: 401, 403': heard('status', inForm('http-401', 'http-403')),
  'told: created without an id': told(({ says, clientId }) => says === 'created' && clientId === undefined),
  'told: processing': told(({ says }) => says === 'processing'),
  'told: unknown': told(({ says }) => says === 'unknown'),
  'told: rejected': told(({ says }) => says === 'rejected'),
  'told: not-created': told(({ says }) => says === 'not-created'),
  'told: joined': told(({ idempotencyStatus }) => idempotencyStatus === 'joined'),
  'told: replayed': told(({ idempotencyStatus }) => idempotencyStatus === 'replayed'),
  'told: safe to retry': told(({ safeToRetry }) => safeToRetry === 'yes'),
  'the answer was never heard': told(({ says }) => says === 'cut'),
  'a client comes later than the documented limit': ({ registrations, plan }) =>
    registrations.some(({ registeredAt, sentAt }) => registeredAt > sentAt + plan.settings.absentMs),
}

const transitions = [
  'none → sent',
  'unknown → sent',
  'not-created → sent',
  ...Object.entries(predecessors).flatMap(([to, from]) => from.map((state) => `${state} → ${to}`)),
]

/** Where a process can die or stand still, and the ledger fail. */
const ledgerPlaces = ['claim', 'renew', 'record', 'takeDue', 'postpone', 'find', 'findByKey']
const partnerPlaces = ['add', 'status']

const faults = [
  ...[...ledgerPlaces, ...partnerPlaces].flatMap((place) => [
    `death before ${place}`,
    `death after ${place}`,
    `standing still after ${place}`,
  ]),
  ...ledgerPlaces.flatMap((place) =>
    ['fails-before', 'fails-after', 'stalls', 'full'].map((mode) => `the ledger ${mode} during ${place}`),
  ),
  ...['claim', 'renew'].map((place) => `the ledger acts-late during ${place}`),
  ...['refused', 'dns', 'tls', 'connect-timeout', 'http-503', 'silence', 'slow', 'http-429'].map(
    (mode) => `the partner: ${mode}`,
  ),
  ...['before', 'after'].flatMap((when) => [
    `a connection is cut ${when} the arrival`,
    `a stale connection is cut ${when} the arrival`,
  ]),
  'a step of the wall clock',
  'the ledger loses its last second',
  'the ledger comes back empty',
]

export const mustVisit: readonly string[] = [...Object.keys(rows), ...transitions, ...faults]

/** Counts what a world has visited; what has been seen is not looked for again. */
export class Coverage {
  private readonly missing = new Set(mustVisit)

  add(history: History): void {
    for (const visit of history.visited) this.missing.delete(visit)
    for (const name of this.missing) {
      if (rows[name]?.(history)) this.missing.delete(name)
    }
  }

  /** What no world has visited. */
  unvisited(): string[] {
    return [...this.missing]
  }
}
