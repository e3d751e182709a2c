/** `ask`: one question to FreedomPay, now, judged as the reconciler judges it; what is learnt is recorded. */
import { buildFindOut } from '../clients/create/find-out.ts'
import type { Config } from '../config/load.ts'
import { createTurnstile } from '../large-bodies/event-loop-slices.ts'
import type { InspectedRow } from '../ledger/inspection.ts'
import type { Row } from '../ledger/ledger.ts'
import type { Lesson } from '../ledger/reconciler.ts'
import { type CardApi, createCardApi } from '../partner/card-api.ts'
import { createDispatcher } from '../partner/dispatcher.ts'
import type { Outcome } from '../partner/outcome.ts'
import { createSigner } from '../partner/signature.ts'
import { type Command, noSuchRow, readArguments, toRequestId } from './command.ts'
import { exitCodes, OperatorError } from './exit.ts'
import type { OperatorLedger } from './open-ledger.ts'

export const askFreedomPay: Command = {
  usage: 'ask <requestId>',
  summary: 'ask FreedomPay now, and record what is learnt',
  prepare(args) {
    const { positionals } = readArguments(args, {}, 1)
    const requestId = toRequestId(positionals[0])
    return async ({ config, openLedger, terminal }) => {
      const { cardApi, close } = openCardApi(config)
      try {
        const ledger = await openLedger()
        const row = await ledger.inspect(requestId)
        if (row === undefined) throw noSuchRow(requestId)
        const { lesson, answers } = await ask(cardApi, row, config)
        for (const answer of answers) terminal.print(`FreedomPay: ${describe(answer)}`)
        terminal.print(`the row: ${await learn(ledger, row, lesson)}`)
        return lesson.isAnswered ? exitCodes.ok : exitCodes.unavailable
      } finally {
        await close()
      }
    }
  },
}

function openCardApi(config: Config) {
  const { partnerOrigin: origin, readCredentials } = config
  if (origin === undefined || readCredentials === undefined) {
    throw new OperatorError(
      exitCodes.settings,
      'There are no FreedomPay credentials here, and the sandbox of a service is in its own process.',
    )
  }
  const dispatcher = createDispatcher({
    origin,
    connectTimeoutMs: config.partnerConnectTimeoutMs,
    keepAliveMs: config.partnerKeepAliveMs,
  })
  const cardApi = createCardApi({
    dispatcher,
    origin,
    sign: createSigner(config.signature, readCredentials),
    turn: createTurnstile(),
    codes: config.codes,
    timeoutMs: config.partnerTimeoutMs,
    observer: { started() {}, ended() {} },
  })
  return { cardApi, close: () => dispatcher.destroy() }
}

async function ask(cardApi: CardApi, row: InspectedRow, config: Config) {
  const { partnerAbsentMs: absentMs, partnerDoubtMs: doubtMs, partnerTimeoutMs: askMs } = config
  const answers: Outcome[] = []
  const heard: CardApi = {
    ...cardApi,
    async requestStatus(...question) {
      const answer = await cardApi.requestStatus(...question)
      answers.push(answer)
      return answer
    },
  }
  const findOut = buildFindOut(heard, { absentMs, doubtMs, askMs })
  const lesson = await findOut(forgetDecision(row), { warn() {} }, new AbortController().signal)
  return { lesson, answers }
}

/** That a person says "created" is no word of FreedomPay's, which would make its refusal a contradiction. */
function forgetDecision(row: InspectedRow): Row {
  return row.state === 'created' && row.isInferred ? { ...row, state: 'unknown' } : row
}

/** Records what is learnt, and says what the row says then. */
async function learn(ledger: OperatorLedger, row: InspectedRow, lesson: Lesson): Promise<string> {
  const { requestId, claimToken, asks, nextAskInMs, state } = row
  const { change, doubts, isAcknowledged } = lesson
  if (change !== undefined) {
    const recorded = await ledger.record(requestId, claimToken, change)
    if (recorded?.was !== undefined) return `was ${recorded.was} and is ${recorded.row.state}`
    return `stays ${recorded?.row.state ?? state}; that answer does not outweigh it`
  }
  const isNews = doubts !== row.doubts || isAcknowledged !== row.isAcknowledged
  if (isNews && nextAskInMs !== undefined) {
    const pauseMs = Math.max(0, nextAskInMs)
    await ledger.postpone({ requestId, claimToken, pauseMs, takenAsks: asks, asks, doubts, isAcknowledged })
  }
  return `stays ${state}`
}

/** Without FreedomPay's description, which may hold the client's data. */
function describe(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'created':
      return `created${outcome.clientId === undefined ? ', without an id' : `, client ${outcome.clientId}`}`
    case 'processing':
      return 'still works on it'
    case 'rejected': {
      const code = outcome.partner.code === undefined ? '' : `, code ${outcome.partner.code}`
      const doubt = outcome.mayConcernQuestion ? ' (perhaps of the question alone; believed once it stands)' : ''
      return `error${code}${doubt}`
    }
    case 'duplicate':
      return 'the request id is not unique: it has the request, and does not say what became of it'
    case 'no-such-request':
      return 'no such request'
    case 'misconfigured':
      return `refuses our credential (HTTP ${outcome.statusCode})`
    case 'throttled':
      return 'takes no more questions at the moment (HTTP 429)'
    case 'not-sent':
    case 'not-admitted':
      return `cannot be reached (${outcome.result})`
    case 'unknown':
      return `no answer that can be read (${outcome.drift ?? outcome.statusCode ?? outcome.result})`
  }
}
