/** Answers a flood of requests that this service refuses slowly, so that one caller's flood costs other callers little. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import type { Lifecycle } from './drain.ts'
import { createRefusalPace, type RefusalPace } from './refusal-pace.ts'

export interface PaceRefusalsOptions {
  readonly lifecycle: Lifecycle
  readonly refusals?: RefusalPace
}

const lookEveryMs = 50

/** Must be registered before the other plugins: their `onSend` hooks must see the connection as it is when the answer leaves. */
export default fp(
  async function paceRefusals(
    app: FastifyInstance,
    { lifecycle, refusals = createRefusalPace() }: PaceRefusalsOptions,
  ) {
    let timer: NodeJS.Timeout | undefined

    function look(): void {
      // An instance that stops must not wait for refusals.
      if (lifecycle.phase === 'closing') refusals.answerAll()
      else refusals.answerDue()
      if (refusals.isHolding) return
      clearInterval(timer)
      timer = undefined
    }

    app.addHook('onSend', (request, reply, _payload, done) => {
      if (!isRefusal(reply)) {
        done()
        return
      }
      // A refusal that is held must not hold the memory of a document.
      request.body = undefined
      // A request without a good credential has no caller; all of these share one pace.
      refusals.pace(request.caller, done)
      if (refusals.isHolding) timer ??= setInterval(look, lookEveryMs)
    })
  },
  { name: 'pace-refusals' },
)

const unprocessable = 422

/** Of the 4xx, a 422 is FreedomPay's decision or the ledger's. Of the 5xx, only `overloaded` is about the caller. */
function isRefusal({ statusCode, request }: FastifyReply): boolean {
  if (statusCode >= 500) return request.log.code === 'overloaded'
  return statusCode >= 400 && statusCode !== unprocessable
}
