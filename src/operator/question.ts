/** One question to FreedomPay, judged by the same function as the reconciler's questions. */
import { buildFindOut } from '../clients/create/find-out.ts'
import type { Config } from '../config/load.ts'
import { createTurnstile } from '../large-bodies/event-loop-slices.ts'
import type { InspectedRow } from '../ledger/inspection.ts'
import type { Row } from '../ledger/ledger.ts'
import { type CardApi, createCardApi } from '../partner/card-api.ts'
import { createDispatcher } from '../partner/dispatcher.ts'
import type { Outcome } from '../partner/outcome.ts'
import { createSigner } from '../partner/signature.ts'
import { exitCodes, OperatorError } from './exit.ts'

export function openCardApi(config: Config) {
  const { partnerOrigin: origin, readCredentials } = config
  if (origin === undefined || readCredentials === undefined) {
    throw new OperatorError(
      exitCodes.settings,
      'No FreedomPay credentials are set. The built-in sandbox cannot be asked: it runs inside the service.',
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

export async function ask(cardApi: CardApi, row: InspectedRow, config: Config) {
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

/** A person's "created" is not FreedomPay's word, so a later refusal by FreedomPay does not contradict itself. */
function forgetDecision(row: InspectedRow): Row {
  return row.state === 'created' && row.isInferred ? { ...row, state: 'unknown' } : row
}
