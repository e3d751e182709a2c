import { fastify } from 'fastify'
import t, { type Test } from 'tap'
import type { Lifecycle } from '../../src/plugins/drain.ts'
import paceRefusals from '../../src/plugins/pace-refusals.ts'
import { createRefusalPace, type RefusalPace } from '../../src/plugins/refusal-pace.ts'
import { until } from '../fixtures/until.ts'

const atOnce = 50
const most = 10_000

function start() {
  const state = { now: 5000, random: 0 }
  const answered: string[] = []
  const refusals = createRefusalPace(
    () => state.now,
    () => state.random,
  )
  const refuse = (caller: string, count = 1) => {
    for (let i = 0; i < count; i++) refusals.pace(caller, () => answered.push(caller))
  }
  const countAnswers = (caller: string) => answered.filter((name) => name === caller).length
  return { state, refusals, refuse, countAnswers }
}

t.test('a caller that is refused a few times a second is answered at once, for ever', async (t) => {
  const { state, refusals, refuse, countAnswers } = start()
  for (let second = 1; second <= 10; second++) {
    refuse('shop', atOnce)
    t.equal(countAnswers('shop'), second * atOnce)
    state.now += 1000
  }
  t.equal(refusals.isHolding, false)
})

t.test('above that, refusals are held for one to two seconds, and those of others are not', async (t) => {
  const { state, refusals, refuse, countAnswers } = start()
  refuse('flood', atOnce + 1)
  state.random = 0.5
  refuse('flood')
  t.equal(countAnswers('flood'), atOnce)
  t.equal(refusals.isHolding, true)
  refuse('shop')
  t.equal(countAnswers('shop'), 1)
  state.now += 999
  refusals.answerDue()
  t.equal(countAnswers('flood'), atOnce)
  state.now += 1
  refusals.answerDue()
  t.equal(countAnswers('flood'), atOnce + 1)
  state.now += 499
  refusals.answerDue()
  t.equal(countAnswers('flood'), atOnce + 1)
  state.now += 1
  refusals.answerDue()
  t.equal(countAnswers('flood'), atOnce + 2)
  t.equal(refusals.isHolding, false)
})

t.test('all that are held can be answered at once', async (t) => {
  const { refusals, refuse, countAnswers } = start()
  refuse('flood', atOnce + 10)
  refusals.answerAll()
  t.equal(countAnswers('flood'), atOnce + 10)
  t.equal(refusals.isHolding, false)
})

t.test('where too many are held already, refusals are answered at once', async (t) => {
  const { refuse, countAnswers } = start()
  refuse('flood', atOnce + most + 3)
  t.equal(countAnswers('flood'), atOnce + 3)
})

/** A server whose answers are what the address says, and a pace that holds each refusal until the test lets it go. */
async function startServer(t: Test) {
  const lifecycle: Lifecycle = { phase: 'ready' }
  const held: { caller: string; answer: () => void }[] = []
  const refusals: RefusalPace = {
    pace: (caller, answer) => void held.push({ caller, answer }),
    answerDue() {},
    answerAll: () => held.splice(0).forEach(({ answer }) => void answer()),
    get isHolding() {
      return held.length > 0
    },
  }
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(paceRefusals, { lifecycle, refusals })
  app.decorateRequest('caller', 'flood')
  const bodies: unknown[] = []
  app.addHook('onSend', async ({ body }) => void bodies.push(body))
  app.post<{ Params: { status: string; code: string } }>('/:status/:code', async ({ params, log }, reply) => {
    log.code = params.code
    return reply.code(Number(params.status)).send({})
  })
  const ask = async (answer: string) =>
    (await app.inject({ method: 'POST', url: `/${answer}`, payload: {} })).statusCode
  return { lifecycle, held, bodies, ask }
}

t.test('what this service refuses is paced by its caller, and without the body that came with it', async (t) => {
  const { held, bodies, ask } = await startServer(t)
  for (const answer of ['400/a', '401/a', '404/a', '409/a', '429/a', '503/overloaded']) {
    const answering = ask(answer)
    const [refusal] = await until(
      () => held.splice(0),
      ({ length }) => length > 0,
    )
    t.equal(refusal?.caller, 'flood')
    refusal?.answer()
    t.equal(await answering, Number(answer.slice(0, 3)))
  }
  t.strictSame(new Set(bodies), new Set([undefined]))
})

t.test('results, and failures that are not about the caller, are answered at once', async (t) => {
  const { held, bodies, ask } = await startServer(t)
  for (const answer of ['200/a', '201/a', '422/a', '500/internal', '502/a', '503/partner-unavailable']) {
    t.equal(await ask(answer), Number(answer.slice(0, 3)))
  }
  t.equal(held.length, 0)
  t.strictSame(bodies[0], {})
})

t.test('an instance that stops holds no refusal', async (t) => {
  const { lifecycle, held, ask } = await startServer(t)
  const answering = [ask('429/a'), ask('429/a')]
  await until(
    () => held.length,
    (length) => length === 2,
  )
  lifecycle.phase = 'closing'
  t.strictSame(await Promise.all(answering), [429, 429])
})
