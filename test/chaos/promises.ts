/** What the service promises, as checks: each reads the history of a run and names every promise that was broken. Pure. */
import type { ExistingClient, History, KnownIntent, Statement, Truth } from './history.ts'

export type Check = (history: History) => string[]

/** One intent creates at most one client, and is only ever sent under the one request_id that its key stands for. */
export const oneClientForEachIntent: Check = ({ intents, arrivals, clients, statements }) => {
  const byPhone = new Map(intents.map((intent) => [intent.phone, intent]))
  const owners = new Map(arrivals.map(({ requestId, phone }) => [requestId, byPhone.get(phone)]))
  const strangers = arrivals
    .filter(({ requestId, phone }) => byPhone.get(phone)?.requestId !== requestId)
    .map(({ requestId, phone }) => `${nameOf(byPhone.get(phone))} was sent under the request_id ${requestId}`)
  const several = [...Map.groupBy(clients, ({ requestId }) => owners.get(requestId))]
    .filter(([owner, owned]) => owner === undefined || owned.length > 1)
    .map(([owner, owned]) => `${nameOf(owner)} has ${owned.length} clients`)
  const misnamed = eachIntent(intents, statements, (intent, own) =>
    own
      .filter(({ requestId }) => requestId !== undefined && requestId !== intent.requestId)
      .map((statement) => `${describe(statement)} names the request_id ${statement.requestId}`),
  )
  return [...new Set([...strangers, ...several, ...misnamed])]
}

/** "Created" is said of a client that exists by then, and with its own id. */
export const createdNamesTheClient: Check = ({ intents, statements, clients }) =>
  eachIntent(intents, statements, (intent, own) => {
    const client = clients.find(({ requestId }) => requestId === intent.requestId)
    return own
      .filter(({ says }) => says === 'created')
      .filter(({ clientId, endedAt }) => {
        if (client === undefined || client.createdAt > endedAt) return true
        return clientId !== undefined && clientId !== client.clientId
      })
      .map(
        (statement) => `${describe(statement)}, which is not the client at the partner: ${client?.clientId ?? 'none'}`,
      )
  })

/**
 * "Not created", by which a caller may go on with another key, is never said of a client that exists, nor of one that comes
 * to exist without another request. And what was refused before it was sent is not sent.
 */
export const noFalseDenial: Check = (history) =>
  eachIntent(history.intents, history.statements, (intent, own) => {
    const client = history.clients.find(({ requestId }) => requestId === intent.requestId)
    if (client === undefined || mayBeLost(history, intent, own)) return []
    const denials = own.filter((statement) => isFalseDenial(statement, client, own))
    const causes = own.filter((statement) => mayHaveSent(statement, client))
    return [
      ...denials.map((statement) => `${describe(statement)}, but the client exists since ${client.registeredAt}`),
      ...(causes.length === 0 ? ['its client exists, but every request before it was answered as not sent'] : []),
    ]
  })

function isFalseDenial(denial: Statement, client: ExistingClient, own: readonly Statement[]): boolean {
  if (denial.says === 'rejected') return true
  if (denial.says !== 'not-created') return false
  if (client.registeredAt < denial.startedAt) return true
  // Sent by another request that was not over yet; where an answer was lost, nobody can tell when it was.
  return !own.some(
    (other) => mayHaveSent(other, client) && (other.says === 'nothing' || other.endedAt > denial.startedAt),
  )
}

function mayHaveSent({ method, says, startedAt }: Statement, { registeredAt }: ExistingClient): boolean {
  const mayHave = ['created', 'processing', 'unknown', 'fault', 'nothing'].includes(says)
  return method === 'POST' && mayHave && startedAt <= registeredAt
}

/** Whatever was said stays true: a later answer says the same, or more where the first was not final. */
export const answersAgree: Check = (history) => {
  const { intents, statements, ledgerOutages } = history
  const refusals = statements.filter(({ answer }) => answer === ledgerUnavailable)
  const troubles = [...ledgerOutages, ...refusals.map(({ startedAt, endedAt }) => ({ from: startedAt, to: endedAt }))]
  // An outcome that could not be written down was told all the same; until the partner is asked again, less is known.
  const mayBeForgotten = ({ startedAt, endedAt }: Statement) =>
    troubles.some(({ from, to }) => startedAt <= to && from <= endedAt)

  return eachIntent(intents, statements, (intent, own) =>
    mayBeLost(history, intent, own)
      ? []
      : own.flatMap((first) =>
          own
            .filter((later) => later.startedAt > first.endedAt)
            .filter((later) => !agree(first, later) && !(isLess(later) && mayBeForgotten(first)))
            .map((later) => `${describe(first)}, and later ${describe(later)}`),
        ),
  )
}

/** What happened to a request while its ledger wrote what is lost, nobody can know any more but the partner. */
function mayBeLost({ losses, arrivals }: History, { requestId }: KnownIntent, own: readonly Statement[]): boolean {
  if (losses.length === 0) return false
  const times = own.map(({ startedAt, endedAt }) => ({ from: startedAt, to: endedAt }))
  for (const arrival of arrivals) {
    if (arrival.requestId === requestId) times.push({ from: arrival.at, to: arrival.at })
  }
  return losses.some((loss) => times.some(({ from, to }) => from <= loss.to && loss.from <= to))
}

/** With PARTNER_RESEND=false what has reached the partner is never sent again, but where the partner did not take it. */
export const nothingIsSentTwice: Check = ({ mayResend, losses, intents, arrivals }) => {
  if (mayResend || losses.length > 0) return []
  const counts = Map.groupBy(arrivals, ({ requestId }) => requestId)
  return intents
    .filter(({ scenario }) => !scenariosOfRefusal.includes(scenario))
    .filter(({ requestId }) => (counts.get(requestId)?.length ?? 0) > 1)
    .map((intent) => `${nameOf(intent)} arrived ${counts.get(intent.requestId)?.length} times`)
}

/** HTTP 429 and HTTP 401: the partner has not taken it. */
const scenariosOfRefusal: readonly string[] = ['009', '011']

function isLess({ says }: Statement): boolean {
  return says === 'unknown' || says === 'processing' || says === 'in-progress'
}

function agree(first: Statement, later: Statement): boolean {
  const saysNothing = later.says === 'nothing' || later.says === 'not-sent' || later.says === 'fault'
  if (saysNothing) return true
  switch (first.says) {
    case 'created':
      return later.says === 'created' && (first.clientId === undefined || later.clientId === first.clientId)
    case 'rejected':
      return later.says === 'rejected'
    case 'processing':
      return later.says !== 'not-created' && later.says !== 'unknown' && later.says !== 'absent'
    case 'unknown':
    case 'not-created':
      return later.says !== 'absent'
    default:
      return true
  }
}

/** In the end only what the partner itself has not decided is unresolved. */
export const nothingElseIsUnresolved: Check = (history) => {
  const { intents, unresolved, statements } = history
  const undecided = intents.filter(({ truth }) => truth === 'processing')
  const surprising = undecided.filter(({ scenario }) => scenario !== endlessScenario)
  const byKey = Map.groupBy(statements, ({ key }) => key)
  const lost = undecided.filter((intent) => mayBeLost(history, intent, byKey.get(intent.key) ?? [])).length
  return [
    ...surprising.map((intent) => `${nameOf(intent)} is still in work at the partner`),
    ...unresolved
      .filter((count) => count > undecided.length || count < undecided.length - lost)
      .map((count) => `ledger_unresolved is ${count} where the partner has not decided ${undecided.length}`),
  ]
}

const endlessScenario = '010'

const lastWords: Readonly<Record<Truth, readonly Statement['says'][]>> = {
  created: ['created'],
  processing: ['processing'],
  rejected: ['rejected'],
  'no such request': ['not-created', 'absent'],
}

/** In the end the service tells of every intent what the partner knows of it. */
export const lastReadsTellTheTruth: Check = (history) =>
  history.intents.flatMap((intent) => {
    const read = history.lastReads.get(intent.key)
    if (read === undefined) return [`${nameOf(intent)} was not read in the end`]
    const client = history.clients.find(({ requestId }) => requestId === intent.requestId)
    const isTrue = lastWords[intent.truth].includes(read.says) && read.clientId === client?.clientId
    // The key came again, and what was sent before is not known any more.
    const isOfLess = read.says === 'absent' || read.says === 'not-created'
    if (isOfLess && mayBeLost(history, intent, [])) return []
    return isTrue ? [] : [`${nameOf(intent)}: in the end ${describe(read)}, the partner: ${intent.truth}`]
  })

const ledgerUnavailable = '503 ledger-unavailable'

/** Answers that callers must expect, and where. */
const expected: Readonly<Record<string, (intent: KnownIntent, history: History, told: Statement) => boolean>> = {
  '422 partner-rejected': ({ scenario }) => scenario === '002' || scenario === '013',
  '502 partner-misconfigured': ({ scenario }) => scenario === '011',
  [ledgerUnavailable]: (_intent, { ledgerOutages, standStills }, { startedAt, endedAt }) =>
    ledgerOutages.length > 0 || standStills.some(({ from, to }) => startedAt <= to && endedAt >= from),
}

const isUnexpected = (statement: Statement, intent: KnownIntent, history: History) =>
  statement.says === 'fault' || expected[statement.answer]?.(intent, history, statement) === false

/** No answer is a fault of the service's, and no process ends against the plan. */
export const nothingGoesWrong: Check = (history) => [
  ...eachIntent(history.intents, history.statements, (intent, own) =>
    own
      .filter((statement) => isUnexpected(statement, intent, history))
      .map((statement) => `${describe(statement)} is no answer to expect`),
  ),
  ...history.accidents,
]

/** Personal data is in no log and in no ledger. */
export const noPersonalDataIsLeft: Check = ({ leaks }) => leaks.map((where) => `personal data is in ${where}`)

const checks = {
  oneClientForEachIntent,
  createdNamesTheClient,
  noFalseDenial,
  nothingIsSentTwice,
  answersAgree,
  nothingElseIsUnresolved,
  lastReadsTellTheTruth,
  nothingGoesWrong,
  noPersonalDataIsLeft,
}

/** Every broken promise of a run, each under the name of its check. */
export function findBrokenPromises(history: History): string[] {
  return Object.entries(checks).flatMap(([name, check]) => check(history).map((broken) => `${name}: ${broken}`))
}

function eachIntent(
  intents: readonly KnownIntent[],
  statements: readonly Statement[],
  check: (intent: KnownIntent, own: readonly Statement[]) => string[],
): string[] {
  const byKey = Map.groupBy(statements, ({ key }) => key)
  return intents.flatMap((intent) =>
    check(intent, byKey.get(intent.key) ?? []).map((broken) => `${nameOf(intent)}: ${broken}`),
  )
}

function nameOf(intent: KnownIntent | undefined): string {
  return intent === undefined ? 'an intent that nobody has' : `${intent.key} (scenario ${intent.scenario})`
}

function describe({ method, answer, says, clientId, startedAt, endedAt }: Statement): string {
  const id = clientId === undefined ? '' : ` ${clientId}`
  return `${method} from ${startedAt} to ${endedAt} was answered ${answer} (${says}${id})`
}
