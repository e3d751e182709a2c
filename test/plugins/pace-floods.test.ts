import { fastify } from 'fastify'
import t, { type Test } from 'tap'
import type { Lifecycle } from '../../src/plugins/drain.ts'
import { createFloodPace, type FloodPace, longestHoldMs } from '../../src/plugins/flood-pace.ts'
import paceFloods from '../../src/plugins/pace-floods.ts'
import { until } from '../fixtures/until.ts'

const burst = 50
const msEach = 2
const activeMs = 10_000
const most = 10_000

/** Another caller, `shop`, was active a moment ago. */
function start() {
  const state = { now: 50_000, random: 0 }
  const answered: string[] = []
  const floods = createFloodPace(
    () => state.now,
    () => state.random,
  )
  const ask = (caller: string, count = 1) => {
    for (let i = 0; i < count; i++) {
      floods.note(caller)
      floods.pace(caller, () => answered.push(caller))
    }
  }
  const countAnswers = (caller: string) => answered.filter((name) => name === caller).length
  ask('shop')
  return { state, floods, ask, countAnswers }
}

t.test('a caller that keeps to the pace is answered at once, for ever', async (t) => {
  const { state, floods, ask, countAnswers } = start()
  ask('steady', burst)
  for (let i = 0; i < 5000; i++) {
    state.now += msEach
    if (i % 100 === 0) floods.note('shop')
    ask('steady')
  }
  t.equal(countAnswers('steady'), burst + 5000)
  t.equal(floods.isHolding, false)
})

t.test('above the pace, answers are held for one to two seconds, and those of others are not', async (t) => {
  const { state, floods, ask, countAnswers } = start()
  ask('flood', burst + 1)
  state.random = 0.5
  ask('flood')
  t.equal(countAnswers('flood'), burst)
  t.equal(floods.isHolding, true)
  ask('shop')
  t.equal(countAnswers('shop'), 2)
  for (const [afterMs, more] of [
    [999, 0],
    [1, 1],
    [499, 1],
    [1, 2],
  ] as const) {
    state.now += afterMs
    floods.answerDue()
    t.equal(countAnswers('flood'), burst + more)
  }
  t.equal(floods.isHolding, false)
  ask('flood', burst)
  t.equal(countAnswers('flood'), 2 * burst + 2, 'what was held counts no more')
})

t.test('a caller that is alone is answered at once, however often it asks', async (t) => {
  const { state, floods, ask, countAnswers } = start()
  ask('flood', burst)
  state.now += activeMs
  ask('flood', 1000)
  t.equal(countAnswers('flood'), burst + 1000)
  t.equal(floods.isHolding, false)
})

t.test('requests without a credential are paced while a caller is active, and make nobody else a flood', async (t) => {
  const { state, ask, countAnswers } = start()
  ask('', burst + 1)
  t.equal(countAnswers(''), burst)
  state.now += activeMs
  ask('')
  ask('shop', 1000)
  t.equal(countAnswers('shop'), 1 + 1000)
})

t.test('all that are held can be answered at once', async (t) => {
  const { floods, ask, countAnswers } = start()
  ask('flood', burst + 10)
  floods.answerAll()
  t.equal(countAnswers('flood'), burst + 10)
  t.equal(floods.isHolding, false)
})

t.test('where too many are held already, answers leave at once', async (t) => {
  const { ask, countAnswers } = start()
  ask('flood', burst + most + 3)
  t.equal(countAnswers('flood'), burst + 3)
})

t.test('the paces of very many callers begin anew', async (t) => {
  const { ask, countAnswers } = start()
  ask('flood', burst + 1)
  for (let i = 0; i < most; i++) ask(`caller-${i}`)
  ask('flood')
  t.equal(countAnswers('flood'), burst + 1)
})

/** A server whose answers are what the address says, and a pace that holds each such answer until the test lets it go. */
async function startServer(t: Test, deadlineMs = 25_000) {
  const lifecycle: Lifecycle = { phase: 'ready' }
  const held: { caller: string; answer: () => void }[] = []
  const noted: string[] = []
  const floods: FloodPace = {
    note: (caller) => void noted.push(caller),
    pace: (caller, answer) => void held.push({ caller, answer }),
    answerDue() {},
    answerAll: () => held.splice(0).forEach(({ answer }) => void answer()),
    get isHolding() {
      return held.length > 0
    },
  }
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(paceFloods, { lifecycle, deadlineMs, floods })
  app.decorateRequest('caller', '')
  const bodies: unknown[] = []
  app.addHook('onSend', async ({ body }) => void bodies.push(body))
  app.route<{ Params: Record<'status' | 'code' | 'idempotency' | 'caller', string> }>({
    method: ['GET', 'POST'],
    url: '/:status/:code/:idempotency/:caller',
    handler: async (request, reply) => {
      const { status, code, idempotency, caller } = request.params
      request.caller = caller === 'nobody' ? '' : caller
      request.log.code = code
      return reply.code(Number(status)).header('idempotency-status', idempotency).send({})
    },
  })
  const ask = async (answer: string) => {
    const [method, address] = answer.split(' ') as ['GET' | 'HEAD' | 'POST', string]
    const payload = method === 'POST' ? {} : undefined
    return (await app.inject({ method, url: `/${address}`, ...(payload && { payload }) })).statusCode
  }
  return { lifecycle, held, noted, bodies, ask }
}

const paced = [
  ...[400, 401, 404, 409, 429].map((status) => `POST ${status}/a/new/flood`),
  'POST 503/overloaded/new/flood',
  'POST 422/idempotency-key-reused/new/flood',
  'GET 200/a/new/flood',
  'HEAD 200/a/new/flood',
  'GET 401/a/new/nobody',
]

t.test('what costs FreedomPay no call is paced by its caller, and without the body that came with it', async (t) => {
  const { held, bodies, ask } = await startServer(t)
  for (const answer of paced) {
    const answering = ask(answer)
    const [one] = await until(
      () => held.splice(0),
      ({ length }) => length > 0,
    )
    t.equal(one?.caller, answer.endsWith('nobody') ? '' : 'flood', answer)
    one?.answer()
    t.match(answer, ` ${await answering}/`)
  }
  t.strictSame(new Set(bodies), new Set([undefined]))
})

t.test('what FreedomPay had to do with, failures, and pages for everybody are answered at once', async (t) => {
  const { held, noted, bodies, ask } = await startServer(t)
  for (const answer of [
    'POST 201/a/new/shop',
    'POST 202/a/joined/shop',
    'POST 201/a/replayed/shop',
    'POST 422/partner-rejected/new/shop',
    'POST 422/partner-rejected/replayed/shop',
    'POST 500/internal/new/shop',
    'POST 502/a/new/shop',
    'POST 503/partner-unavailable/new/shop',
    'GET 200/a/new/nobody',
  ]) {
    t.match(answer, ` ${await ask(answer)}/`)
  }
  t.equal(held.length, 0)
  t.strictSame(bodies[0], {})
  t.strictSame(
    noted,
    [...Array(8).fill('shop'), ''].flatMap((caller) => ['', caller]),
    'a caller is active when it is answered, too',
  )
})

t.test('an instance that stops holds no answer', async (t) => {
  const { lifecycle, held, ask } = await startServer(t)
  const answering = [ask('POST 429/a/new/flood'), ask('POST 429/a/new/flood')]
  await until(
    () => held.length,
    (length) => length === 2,
  )
  lifecycle.phase = 'draining'
  t.strictSame(await Promise.all([...answering, ask('POST 429/a/new/flood')]), [429, 429, 429])
})

t.test('an answer that would come after the deadline of its request is not held', async (t) => {
  const { held, ask } = await startServer(t, longestHoldMs)
  t.equal(await ask('POST 429/a/new/flood'), 429)
  t.equal(held.length, 0)
})
