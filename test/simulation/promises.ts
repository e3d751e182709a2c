/** What the service promises, as checks: each reads the history of a world and names every promise that was broken. Pure. */
import { ledgerMarginMs } from '../../src/clients/create/by-deadline.ts'
import { inferredAsksAtMs } from '../../src/ledger/rules.ts'
import type { History, Registration, Send, Statement } from './history.ts'

export type Check = (history: History) => string[]

/** Where the ledger has lost rows, nobody can know what was in them. */
function hasLost({ losses }: History, from: number, to: number): boolean {
  return losses.some((at) => at >= from && at <= to)
}

/** The row under which a client was sent is lost; also where it was lost between the claim and the send. */
function hasLostItsRow(history: History, { sentAt }: Pick<Registration, 'sentAt'>, to: number): boolean {
  return hasLost(history, sentAt - history.plan.settings.deadlineMs, to)
}

function phoneOf({ plan }: History, intent: number): number {
  return plan.intents[intent]?.phone ?? 0
}

/** A partner that forgets, or that makes a second client of a repetition, is trusted only where nothing is ever sent twice. */
function isTrusted(history: History, registration: Registration): boolean {
  const { plan } = history
  const accepts = plan.repeats === 'accepts' || registration.forgottenAt < Infinity
  return !accepts || (!plan.settings.resends && history.losses.length === 0)
}

/** One request leads to one client, and each person of a key has one request_id of their own. */
export const oneClientForEachIntent: Check = (history) => {
  const several = [...Map.groupBy(history.registrations, ({ requestId }) => requestId)]
    .filter(([, own]) => own.length > 1 && own.every((each) => isTrusted(history, each)))
    .map(([requestId, own]) => `${requestId} led to ${own.length} clients`)
  const adds = history.sends.filter(({ operation }) => operation === 'add')
  const shared = [...Map.groupBy(adds, ({ requestId }) => requestId)]
    .filter(([, own]) => new Set(own.map(({ phone }) => phone)).size > 1)
    .map(([requestId]) => `${requestId} was sent for two persons`)
  return [...several, ...shared]
}

/** With PARTNER_RESEND=false what the partner may have is never sent again. */
export const nothingIsSentTwice: Check = (history) => {
  const { plan, sends, losses } = history
  if (plan.settings.resends || losses.length > 0) return []
  const adds = sends.filter(({ operation }) => operation === 'add')
  return [...Map.groupBy(adds, ({ requestId }) => requestId)].flatMap(([requestId, own]) => {
    const open = own.slice(0, -1).filter((send) => !isRefusalToTake(send))
    return open.length === 0 ? [] : [`${requestId} was sent at ${open[0]?.at}, and again`]
  })
}

/**
 * What the partner may have is sent again only once "no such request" has stood for its time: from one answer to another, or from
 * the send to an answer that has led to "not created".
 */
export const everyRepetitionHasWaited: Check = (history) => {
  const { plan, sends, losses, stalls } = history
  if (losses.length > 0) return []
  const adds = sends.filter(({ operation }) => operation === 'add')
  return [...Map.groupBy(adds, ({ requestId }) => requestId)].flatMap(([requestId, own]) =>
    own.flatMap((send, index) => {
      const open = own.slice(0, index).findLast((earlier) => !isRefusalToTake(earlier))
      // The word stands from its question on, also where the process stood still before the question left.
      const mayHaveStood = stalls.some(({ replica, from }) => replica === send.replica && from <= send.at)
      return open === undefined || mayHaveStood || hasWaited(plan, sends, open, send)
        ? []
        : [`${requestId} was sent again at ${send.at}`]
    }),
  )
}

/** One create sends what the partner may have once more at most. */
export const onlyOneRepetition: Check = ({ plan, statements, sends }) => {
  const phones = new Set(plan.intents.map(({ phone }) => phone))
  const open = sends.filter((send) => send.operation === 'add' && phones.has(send.phone) && !isRefusalToTake(send))
  return [...Map.groupBy(open, ({ requestId }) => requestId)].flatMap(([requestId, own]) => {
    // A create whose process died was told nothing, and may have been about this request.
    const creates = statements.filter(
      (each) => each.method === 'POST' && (each.requestId === requestId || each.requestId === undefined),
    )
    return own.length <= 2 * creates.length
      ? []
      : [`${requestId} was sent ${own.length} times by ${creates.length} creates`]
  })
}

function hasWaited({ settings }: History['plan'], sends: readonly Send[], open: Send, again: Send): boolean {
  const absences = sends.filter(
    ({ requestId, words, at, answeredAt }) =>
      requestId === open.requestId &&
      isAbsence(words) &&
      at >= open.at &&
      answeredAt !== undefined &&
      answeredAt <= again.at,
  )
  const last = absences.at(-1)
  if (last === undefined) return false
  const heardAt = Math.min(...absences.map(({ answeredAt = Infinity }) => answeredAt))
  const stoodMs = last.at - heardAt
  return stoodMs >= settings.settleMs || last.at - open.at >= settings.absentMs
}

function isAbsence(words: string): boolean {
  return words.startsWith('error+error+1006') || words === 'HTTP 404 with JSON'
}

/** Each send is made under a claim of its own, which the ledger gave to this replica, and while the claim's time lasts. */
export const everySendIsClaimed: Check = ({ sends, claims }) => {
  const adds = sends.filter(({ operation }) => operation === 'add')
  return [...Map.groupBy(adds, ({ requestId, replica }) => `${requestId} ${replica}`)].flatMap(([of, own]) => {
    const given = claims.filter(({ requestId, replica }) => of === `${requestId} ${replica}`)
    return own.flatMap((send, index) => {
      const before = given.filter(({ at }) => at <= send.at)
      if (before.length <= index) return [`${of} was sent at ${send.at} without a claim of its own`]
      const isLate = before.every(({ until }) => until < send.at)
      return isLate ? [`${of} was sent at ${send.at}, after the time of its claim`] : []
    })
  })
}

/** A replica sends no more creates at once than it has places. One without an answer is taken as over at once. */
export const placesAreKept: Check = ({ plan, sends }) => {
  const adds = sends.filter(({ operation }) => operation === 'add')
  return adds.flatMap(({ at, replica }) => {
    const underWay = adds.filter((send) => send.replica === replica && send.at <= at && (send.answeredAt ?? 0) > at)
    return underWay.length <= plan.settings.places
      ? []
      : [`replica ${replica} sent ${underWay.length} creates at once, at ${at}`]
  })
}

function isRefusalToTake({ form, answeredAt }: Send): boolean {
  return answeredAt !== undefined && (form === 'http-401' || form === 'http-403' || form === 'http-429')
}

/** "Created" is said of a client that exists by then, of the same person, and with its own id. */
export const createdNamesTheClient: Check = (history) =>
  everyStatement(history, (statement) => {
    if (statement.says !== 'created') return false
    const phone = phoneOf(history, statement.intent)
    return !history.registrations.some(
      (client) =>
        client.phone === phone &&
        client.requestId === statement.requestId &&
        client.createdAt <= statement.at &&
        (statement.clientId === undefined || statement.clientId === client.clientId),
    )
  })

/**
 * "Rejected", "not created" and "safe to retry" are never said of a client that exists, nor of one that comes by itself within
 * the documented limits.
 */
export const noFalseDenial: Check = (history) =>
  everyStatement(history, (statement) => {
    const own = history.registrations.filter((client) => isAbout(history, statement, client))
    return own.some((client) => client.createdAt < Infinity && !mayBeDenied(history, statement, client))
  })

/** The client that this statement would deny: of the request that it names, or of any earlier one under this key. */
function isAbout(history: History, statement: Statement, { requestId, phone, sentAt }: Registration): boolean {
  if (statement.method === 'GET' || statement.key === undefined)
    return requestId === statement.requestId && sentAt <= statement.at
  if (phone !== phoneOf(history, statement.intent) || sentAt > statement.at) return false
  if (statement.requestId !== undefined) return requestId === statement.requestId
  return history.statements.some((other) => other.key === statement.key && other.requestId === requestId)
}

function mayBeDenied(history: History, statement: Statement, client: Registration): boolean {
  const { plan } = history
  const { absentMs } = plan.settings
  if (statement.safeToRetry === 'yes') {
    if (hasLost(history, 0, statement.at)) return true
    // Told while another request with this key may be sending, once nothing of this one could be.
    return client.sentAt > statement.startedAt && client.sentAt >= lastKnown(history, statement)
  }
  if (statement.says === 'not-created') {
    // Told while another request with this key may be sending.
    if (client.sentAt >= lastKnown(history, statement)) return true
    return (
      client.registeredAt > client.sentAt + absentMs ||
      client.forgottenAt <= statement.at ||
      hasLostItsRow(history, client, statement.at)
    )
  }
  if (statement.says === 'rejected') return wasRefused(history, statement, client)
  return true
}

/** From here on the state that a statement tells may be that of a claim of its own time. */
function lastKnown(history: History, { requestId, at }: Statement): number {
  const change = history.changes.findLast(
    (each) => each.requestId === requestId && each.to === 'not-created' && each.at <= at,
  )
  return change?.at ?? at
}

/** By the rules of the outcome table: the partner has said so itself, as often and as long as it must. */
function wasRefused(history: History, { requestId, at }: Statement, client: Registration): boolean {
  const { doubtMs } = history.plan.settings
  const heard = history.sends
    .filter((send) => send.requestId === requestId && (send.answeredAt ?? Infinity) <= at)
    .sort((a, b) => (a.answeredAt ?? 0) - (b.answeredAt ?? 0))
  let since: number | undefined
  let count = 0
  for (const { operation, words, form, at: askedAt, answeredAt = 0 } of heard) {
    const isRefusal = words.startsWith('error') && !words.includes('1002') && form !== 'error-alone'
    if (operation === 'add' && isRefusal) return true
    if (operation === 'status' && words.startsWith('ok+error')) return true
    const isDoubt = operation === 'status' && isRefusal && !words.includes('1006')
    if (isDoubt) {
      // The word stands from its question on, which waited for a connection before it left.
      since ??= askedAt - 4 * history.plan.networkMs
      count++
      if (count >= 3 && answeredAt - since >= doubtMs) return true
    } else if (isWord(words)) {
      since = undefined
      count = 0
    }
  }
  return client.sentAt > at
}

function isWord(words: string): boolean {
  return words.startsWith('ok') || words.startsWith('error')
}

/** What was said stays so: a later answer says the same, or more where the first was not final, or corrects. */
export const answersAgree: Check = (history) => {
  const told = history.statements.filter(({ requestId, at }) => requestId !== undefined && at < Infinity)
  return [...Map.groupBy(told, ({ requestId, intent }) => `${requestId} ${intent}`)].flatMap(([, own]) =>
    own.flatMap((first) =>
      own
        .filter((later) => later.startedAt > first.at && !agree(history, first, later))
        .map((later) => `${describe(first)}; later ${describe(later)}`),
    ),
  )
}

function agree(history: History, first: Statement, later: Statement): boolean {
  const saysNothing = ['problem', 'cut', 'fault'].includes(later.says)
  if (saysNothing || hasLost(history, 0, later.at)) return true
  const { retentionMs } = history.plan.settings
  if (later.at - first.at >= retentionMs) return true
  switch (first.says) {
    case 'created':
      return (
        (later.says === 'created' &&
          (first.clientId === undefined || later.clientId === first.clientId || !isTold(history, first))) ||
        mayBeUnwritten(history, first, later)
      )
    case 'rejected':
      return (
        ['rejected', 'created'].includes(later.says) ||
        isCorrected(history, first) ||
        mayBeUnwritten(history, first, later)
      )
    case 'processing':
      return !['not-created', 'not-found', 'unknown'].includes(later.says) || mayBeUnwritten(history, first, later)
    case 'unknown':
    case 'not-created':
      return later.says !== 'not-found'
    default:
      return true
  }
}

/** A refusal that was concluded from doubtful errors is corrected by "process", too; one that the partner has decided is not. */
function isCorrected({ changes, sends }: History, { requestId, at }: Statement): boolean {
  const isDecided = sends.some(
    (send) =>
      send.requestId === requestId &&
      send.operation === 'status' &&
      send.words.startsWith('ok+error') &&
      (send.answeredAt ?? Infinity) <= at,
  )
  if (isDecided) return false
  return changes.some((each) => each.requestId === requestId && each.from === 'rejected' && each.to === 'processing')
}

/** Of two clients of a partner that makes two, either may be named. */
function isTold({ registrations }: History, { requestId }: Statement): boolean {
  return registrations.filter((each) => each.requestId === requestId).length < 2
}

/** An outcome that could not be written down was told all the same; until the partner is asked again, less is known. */
function mayBeUnwritten({ plan, registrations }: History, first: Statement, later: Statement): boolean {
  const isForgotten = registrations.some(
    ({ requestId, forgottenAt }) => requestId === first.requestId && forgottenAt <= later.at,
  )
  const isLess =
    ['unknown', 'processing'].includes(later.says) ||
    (later.says === 'created' && later.clientId === undefined) ||
    (later.says === 'not-created' && (isForgotten || first.says !== 'created'))
  const isTroubled = plan.faults.some(({ kind }) => kind === 'ledger' || kind === 'ledger-call')
  return isLess && isTroubled && first.at <= plan.faultsEndAt + plan.settings.deadlineMs
}

/** A final outcome that is told again under its key is told as a replay. */
export const replaysAreCalledReplays: Check = (history) =>
  everyStatement(history, (later) => {
    if (later.idempotencyStatus !== 'new' || later.says !== 'created') return false
    return history.statements.some(
      (first) =>
        first.requestId === later.requestId &&
        first.says === 'created' &&
        first.at < later.startedAt &&
        later.at - first.at < history.plan.settings.retentionMs &&
        !hasLost(history, 0, later.at) &&
        !history.plan.faults.some(({ kind }) => kind.startsWith('ledger')),
    )
  })

/** What one turn of the event loop may be late. */
const lateMs = 100
/** The longest that one call of the ledger may take. */
const ledgerLimitMs = 2_000

/** Every answer comes within its deadline, however long the ledger takes, but from a process that stood still or is dead. */
export const answersComeInTime: Check = (history) => {
  const { settings, ledgerMs } = history.plan
  return everyStatement(history, ({ method, startedAt, at, replica, says }) => {
    const limitMs = method === 'POST' ? settings.deadlineMs + ledgerMarginMs : ledgerLimitMs + 2 * ledgerMs
    if (says === 'cut' || at - startedAt <= limitMs + lateMs) return false
    return !history.stalls.some((stall) => stall.replica === replica && stall.from <= at && stall.to >= startedAt)
  })
}

/**
 * The first create of a request says "processing" when the caller's wait is over, or as soon as it is heard after that. A create
 * that joins the first one has a wait of its own. Of a later create another asker may hear the word before it does.
 */
export const waitsAreKept: Check = (history) => {
  const { settings, ledgerMs, faults, replicas } = history.plan
  if (replicas > 1 || faults.some(({ kind }) => kind.startsWith('ledger') || kind === 'freeze')) return []
  return everyStatement(
    history,
    ({ number, says, requestId, idempotencyStatus, startedAt, at, wait = settings.waitMs }) => {
      if (says !== 'processing' || (idempotencyStatus !== 'new' && idempotencyStatus !== 'joined')) return false
      if (idempotencyStatus === 'joined') {
        // A caller whose replica died knows no requestId.
        if (history.statements.some((other) => other.method === 'POST' && other.at < startedAt)) return false
      } else if (history.statements.some((other) => other.requestId === requestId && other.number < number))
        return false
      const own = history.sends.filter((send) => send.requestId === requestId && send.words === 'ok+process')
      // What a create of a process that died has heard, a later one has not.
      const since = idempotencyStatus === 'new' ? startedAt : 0
      const heardAt = own.find(({ answeredAt = -1 }) => answeredAt >= since)?.answeredAt ?? 0
      const waitMs = wait === 'until-accepted' ? 0 : wait
      return at > Math.max(startedAt + waitMs, heardAt) + lateMs + 8 * ledgerMs
    },
  )
}

/** A claim without an answer is given back this soon after the faults. */
const givenBackAfterMs = 2_500

/** A key under which nothing was ever sent works once the ledger answers again, also where its claim was taken without an answer. */
export const unsentKeysWork: Check = (history) => {
  const { plan, sends, statements } = history
  const isOfLedger = plan.faults.every(({ kind }) => !['death', 'death-at', 'freeze', 'ledger-loses'].includes(kind))
  if (!isOfLedger) return []
  const creates = statements.filter(({ method }) => method === 'POST')
  return everyStatement(history, (statement) => {
    const { method, key, startedAt, at, says, code, idempotencyStatus, requestId } = statement
    if (method !== 'POST' || key === undefined || startedAt < plan.faultsEndAt + givenBackAfterMs) return false
    const isAlone = creates.every(
      (other) => other === statement || other.key !== key || other.at < startedAt || other.startedAt > at,
    )
    if (!isAlone || sends.some((send) => send.operation === 'add' && send.requestId === requestId && send.at <= at))
      return false
    const isNotSentAgain = code === 'partner-unavailable' && idempotencyStatus === undefined
    // A new create may be told so before its send, when its caller’s wait is over.
    const isTakenForSent = says === 'unknown' && idempotencyStatus !== 'new'
    return isTakenForSent || code === 'request-in-progress' || isNotSentAgain
  })
}

/** No answer is a fault of the service's own. */
export const nothingGoesWrong: Check = (history) => everyStatement(history, ({ says }) => says === 'fault')

/** After the faults every request comes to rest: what is then told is final, and is the truth. */
export const everythingComesToRest: Check = (history) =>
  history.lastReads.flatMap((read) => {
    const own = history.registrations.filter(({ requestId }) => requestId === read.requestId)
    const isTrue = isLastWord(history, read, own)
    return isTrue
      ? []
      : [
          `in the end ${describe(read)}, the partner: ${own.map((each) => truthOf(history, each)).join(', ') || 'no such request'}`,
        ]
  })

type Truth = 'created' | 'process' | 'rejected' | 'forgotten'

function truthOf({ plan }: History, client: Registration): Truth {
  if (client.forgottenAt < Infinity) return 'forgotten'
  const fate = plan.intents.find(({ phone }) => phone === client.phone)?.course.fate
  if (fate === 'process-forever') return 'process'
  return fate === 'process-rejected' ? 'rejected' : 'created'
}

function isLastWord(history: History, read: Statement, own: readonly Registration[]): boolean {
  const { says, requestId } = read
  // Forgotten as it was finished long ago, or lost with the ledger: nobody is told anything false.
  const mayBeGone = history.plan.settings.retentionMs < history.plan.restMs || history.losses.length > 0
  if (says === 'not-found')
    return (
      mayBeGone ||
      !history.statements.some(
        (each) => each.requestId === requestId && !['problem', 'cut', 'not-found'].includes(each.says),
      )
    )
  if (own.length === 0) return says === 'not-created' || says === 'rejected'
  return own.some((client) => isTrueOf(history, read, client))
}

function isTrueOf(history: History, read: Statement, client: Registration): boolean {
  const { says, clientId } = read
  switch (truthOf(history, client)) {
    case 'forgotten':
      return says !== 'problem'
    case 'created':
    case 'process': {
      // A refusal that could not be doubted, as the ledger had lost the row and the question was not answered, stands.
      if (says === 'rejected' && history.losses.length > 0) return wasRefused(history, read, client)
      if (says === 'rejected' && isDoubtedToTheEnd(history, read)) return true
      // Nothing is known of what was sent before the ledger lost it.
      if (says === 'not-created' && hasLostItsRow(history, client, read.at)) return true
      return truthOf(history, client) === 'process'
        ? says === 'processing'
        : says === 'created' && clientId === client.clientId
    }
    case 'rejected':
      // Nothing is known of what was sent before the ledger lost it; and there is no client.
      return says === 'rejected' || (says === 'not-created' && hasLostItsRow(history, client, read.at))
  }
}

/** Each question that was to correct a refusal was answered by another doubtful error; the next comes after the end, or never. */
function isDoubtedToTheEnd({ changes, sends }: History, { requestId, at }: Statement): boolean {
  const since = changes.findLast((each) => each.requestId === requestId && each.to === 'rejected')?.at ?? Infinity
  const answers = sends.filter(
    (send) => send.requestId === requestId && send.at > since && send.answeredAt !== undefined,
  )
  const nextAtMs = inferredAsksAtMs[answers.length] ?? Infinity
  return since + nextAtMs > at && answers.every(({ form }) => form === 'error-error')
}

/** In the end no place, timer or map entry is left. */
export const nothingIsLeft: Check = ({ leftovers }) => leftovers

export const checks = {
  oneClientForEachIntent,
  nothingIsSentTwice,
  everyRepetitionHasWaited,
  onlyOneRepetition,
  everySendIsClaimed,
  placesAreKept,
  createdNamesTheClient,
  noFalseDenial,
  answersAgree,
  replaysAreCalledReplays,
  answersComeInTime,
  waitsAreKept,
  unsentKeysWork,
  nothingGoesWrong,
  everythingComesToRest,
  nothingIsLeft,
}
export type PromiseName = keyof typeof checks

export interface BrokenPromise {
  readonly promise: PromiseName
  readonly text: string
}

export function findBrokenPromises(history: History): BrokenPromise[] {
  return Object.entries(checks).flatMap(([promise, check]) =>
    check(history).map((text) => ({ promise: promise as PromiseName, text })),
  )
}

function everyStatement(history: History, isBroken: (statement: Statement) => boolean): string[] {
  return history.statements.filter(isBroken).map(describe)
}

export function describe({
  number,
  method,
  key,
  says,
  code,
  safeToRetry,
  clientId,
  requestId,
  at,
  startedAt,
  error,
}: Statement): string {
  const words = [says, code, safeToRetry && `safe to retry: ${safeToRetry}`, clientId, error].filter(Boolean).join(', ')
  const what = method === 'POST' ? `POST ${key ?? 'without a key'}` : 'GET'
  return `#${number} ${what} (${requestId?.slice(0, 8) ?? 'no id'}, asked at ${startedAt}) told at ${at}: ${words}`
}
