/** Delays the answers to a flood of requests, so that one caller's flood costs other callers little. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import type { Lifecycle } from './drain.ts'
import { createFloodPace, type FloodPace, longestHoldMs } from './flood-pace.ts'

export interface PaceFloodsOptions {
  readonly lifecycle: Lifecycle
  /** The time that one POST may take. An answer that would then come too late is not held. */
  readonly deadlineMs: number
  readonly floods?: FloodPace
}

const lookEveryMs = 50

/** Must be registered before the other plugins: their `onSend` hooks must see the connection as it is when the answer leaves. */
export default fp(
  async function paceFloods(
    app: FastifyInstance,
    { lifecycle, deadlineMs, floods = createFloodPace() }: PaceFloodsOptions,
  ) {
    let timer: NodeJS.Timeout | undefined

    function look(): void {
      // An instance that stops must not wait for answers that are held.
      if (lifecycle.phase === 'ready') floods.answerDue()
      else floods.answerAll()
      if (floods.isHolding) return
      clearInterval(timer)
      timer = undefined
    }

    function mayHold(reply: FastifyReply): boolean {
      // A connection that is to end must end now: a request behind an ambiguous one must not be carried out.
      const ends = reply.getHeader('connection') === 'close'
      return lifecycle.phase === 'ready' && !ends && reply.elapsedTime + longestHoldMs < deadlineMs
    }

    app.addHook('preValidation', ({ caller }, _reply, done) => {
      floods.note(caller)
      done()
    })

    app.addHook('onSend', (request, reply, _payload, done) => {
      floods.note(request.caller)
      if (!isWithoutFreedomPay(reply) || !mayHold(reply)) {
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

/** Refusals and look-ups cost FreedomPay no call. Pages for everybody are neither. */
function isWithoutFreedomPay({ statusCode, request }: FastifyReply): boolean {
  if (codesWithoutFreedomPay.has(request.log.code)) return true
  const isRefusal = statusCode >= 400 && statusCode < 500 && statusCode !== unprocessable
  return isRefusal || (request.method !== 'POST' && request.caller !== '')
}
