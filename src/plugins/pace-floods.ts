/** Delays the answers to a flood of requests, so that one caller's flood costs other callers little. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import type { Lifecycle } from './drain.ts'
import { createFloodPace, type FloodPace } from './flood-pace.ts'

export interface PaceFloodsOptions {
  readonly lifecycle: Lifecycle
  readonly floods?: FloodPace
}

const lookEveryMs = 50

/** Must be registered before the other plugins: their `onSend` hooks must see the connection as it is when the answer leaves. */
export default fp(
  async function paceFloods(app: FastifyInstance, { lifecycle, floods = createFloodPace() }: PaceFloodsOptions) {
    let timer: NodeJS.Timeout | undefined

    function look(): void {
      // An instance that stops must not wait for answers that are held.
      if (lifecycle.phase === 'closing') floods.answerAll()
      else floods.answerDue()
      if (floods.isHolding) return
      clearInterval(timer)
      timer = undefined
    }

    app.addHook('onSend', (request, reply, _payload, done) => {
      floods.note(request.caller)
      if (!isWithoutFreedomPay(reply)) {
        done()
        return
      }
      // An answer that is held must not hold the memory of a document.
      request.body = undefined
      // All requests without a good credential share one pace.
      floods.pace(request.caller, done)
      if (floods.isHolding) timer ??= setInterval(look, lookEveryMs)
    })
  },
  { name: 'pace-floods' },
)

const codesWithoutFreedomPay = new Set<string | undefined>(['overloaded', 'idempotency-key-reused'])
const unprocessable = 422

/** Answers that cost FreedomPay no call: refusals, look-ups and repeated outcomes. Pages for everybody are no such answers. */
function isWithoutFreedomPay(reply: FastifyReply): boolean {
  const { statusCode, request } = reply
  if (codesWithoutFreedomPay.has(request.log.code) || reply.getHeader('idempotency-status') === 'replayed') return true
  const isRefusal = statusCode >= 400 && statusCode < 500 && statusCode !== unprocessable
  return isRefusal || (request.method !== 'POST' && request.caller !== '')
}
