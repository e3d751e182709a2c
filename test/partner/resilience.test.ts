import t, { type Test } from 'tap'
import type { EncodedRequest } from '../../src/partner/encode.ts'
import type { Outcome, Result } from '../../src/partner/outcome.ts'
import { results } from '../../src/partner/outcome.ts'
import { withCircuitBreaker } from '../../src/partner/resilience.ts'
import { buildSandbox } from '../../src/sandbox/app.ts'
import { sandboxCredentials } from '../../src/sandbox/credentials.ts'
import { arrivals } from '../fixtures/arrivals.ts'
import { findFreePort } from '../fixtures/free-port.ts'
import { makeLedgerFile, newClaim, openTestLedger } from '../fixtures/ledgers.ts'
import { outcomes, scriptCardApi } from '../fixtures/scripted-card-api.ts'
import { phoneFor, startTestService } from '../fixtures/service.ts'
import { createGate, replies, startStandIn } from '../fixtures/stand-in-partner.ts'
import { until } from '../fixtures/until.ts'

const context = { deadlineAt: Infinity, log: { warn: () => undefined } }
const request: EncodedRequest = { requestId: 'a', body: Buffer.from('{}') }
const refused = outcomes.notAdmitted
const failure: Outcome = { kind: 'unknown', result: 'http_5xx', statusCode: 500 }

/** A circuit breaker whose time only passes when it is told to. */
function startCircuit(t: Test, script: Parameters<typeof scriptCardApi>[0]) {
  let now = Date.now()
  t.intercept(Date, 'now', { value: () => now })
  const states: string[] = []
  const partner = scriptCardApi(script)
  const guarded = withCircuitBreaker(partner, (state) => states.push(state))
  return {
    partner,
    states,
    add: (deadlineAt = Infinity) => guarded.addClient(request, { ...context, deadlineAt }),
    ask: (deadlineAt = Infinity) => guarded.requestStatus('a', { ...context, deadlineAt }),
    pass: (ms: number) => {
      now += ms
    },
  }
}

const pauseMs = 1000

t.test('five transport failures in a row open the circuit, whichever they are', async (t) => {
  const opening = ['timeout', 'reset', 'refused', 'dns', 'tls', 'http_5xx']
  for (const result of results) {
    await t.test(result, async (t) => {
      const { add, ask, partner, states } = startCircuit(t, {
        add: [{ ...failure, result }],
        status: [{ ...failure, result }],
      })
      for (const call of [add, ask, add, ask]) await call()
      t.strictSame(states, [], 'four are not enough')
      await add()
      t.strictSame(states, opening.includes(result) ? ['open'] : [])
      t.equal((await add()).kind, opening.includes(result) ? 'not-admitted' : 'unknown')
      t.equal(partner.calls.length, opening.includes(result) ? 5 : 6)
    })
  }
})

t.test('the partner’s no never opens it', async (t) => {
  const noes: Outcome[] = [
    outcomes.rejected(),
    outcomes.duplicate,
    outcomes.misconfigured,
    outcomes.throttled('1'),
    outcomes.noSuchRequest,
    { kind: 'unknown', result: 'http_4xx', statusCode: 400 },
  ]
  const { add, states, partner } = startCircuit(t, { add: noes.flatMap((no) => Array(5).fill(no)) })
  for (let i = 0; i < noes.length * 5; i++) await add()
  t.equal(partner.count('add'), noes.length * 5)
  t.strictSame(states, [])
})

t.test('an answer in between ends the run of failures', async (t) => {
  const run = Array(4).fill(failure)
  const { add, states } = startCircuit(t, { add: [...run, outcomes.processing, ...run] })
  for (let i = 0; i < 9; i++) await add()
  t.strictSame(states, [])
})

t.test('while it is open nothing gets through, neither a create nor a question', async (t) => {
  const { add, ask, pass, partner } = startCircuit(t, { add: [failure], status: [failure] })
  for (let i = 0; i < 5; i++) await add()
  pass(pauseMs - 1)
  t.strictSame([await add(), await ask(), await add()], [refused, refused, refused])
  t.equal(partner.calls.length, 5)
})

t.test('after the pause one question is the probe, and while it fails a create never is', async (t) => {
  const { add, pass, partner, states } = startCircuit(t, { add: [failure], status: [failure] })
  for (let i = 0; i < 5; i++) await add()
  for (const round of [1, 2, 3]) {
    pass(pauseMs)
    t.strictSame(await add(), refused)
    t.strictSame(await add(), refused)
    t.equal(partner.count('status'), round, 'one probe')
  }
  t.equal(partner.count('add'), 5)
  t.strictSame(states, ['open', 'half_open', 'open', 'half_open', 'open', 'half_open', 'open'])
})

t.test('a probe that is answered closes it, and the create that caused it goes through', async (t) => {
  const created = outcomes.created()
  const { add, pass, partner, states } = startCircuit(t, {
    add: [...Array(5).fill(failure), created],
    status: [outcomes.noSuchRequest],
  })
  for (let i = 0; i < 5; i++) await add()
  pass(pauseMs)
  t.strictSame(await add(), created)
  t.strictSame(partner.calls.slice(5), ['status', 'add'])
  t.strictSame(states, ['open', 'half_open', 'closed'])
  t.strictSame(await add(), created, 'and so do the next, without a probe')
  t.equal(partner.count('status'), 1)
})

t.test('a probe takes no longer than two seconds, nor than its caller has', async (t) => {
  const never = Array(9).fill(failure)
  const { add, ask, pass, partner } = startCircuit(t, { add: never, status: never })
  for (let i = 0; i < 5; i++) await add()
  for (const call of [ask, add]) {
    pass(pauseMs)
    const before = performance.now()
    await call()
    const givenMs = (partner.given.at(-1)?.deadlineAt ?? 0) - before
    t.ok(givenMs >= 2000 && givenMs < 3000, `${givenMs} ms`)
    pass(pauseMs)
    await call(before + 100)
    t.equal(partner.given.at(-1)?.deadlineAt, before + 100)
  }
  t.equal(partner.count('status'), 4)
})

t.test('a question in good times has all the time that its caller has', async (t) => {
  const { ask, partner } = startCircuit(t, { status: [outcomes.processing] })
  await ask()
  t.equal(partner.given[0]?.deadlineAt, Infinity)
})

t.test('what this service cut itself says nothing of the partner', async (t) => {
  const cut: Outcome = { kind: 'unknown', result: 'timeout', isOurDoing: true }
  const { add, states, partner } = startCircuit(t, {
    add: [...Array(9).fill(cut), ...Array(4).fill(failure), cut, failure],
  })
  for (let i = 0; i < 13; i++) await add()
  t.strictSame(states, [])
  await add()
  await add()
  t.strictSame(states, ['open'], 'and it ends no run of failures')
  t.equal(partner.count('add'), 15)
})

t.test('nobody waits for somebody else’s probe', async (t) => {
  const gate = createGate()
  const { add, ask, pass, partner } = startCircuit(t, {
    add: [...Array(5).fill(failure), outcomes.processing],
    status: [() => gate.passed.then(() => outcomes.processing)],
  })
  for (let i = 0; i < 5; i++) await add()
  pass(pauseMs)
  const probe = ask()
  t.strictSame([await add(), await ask()], [refused, refused])
  gate.open()
  t.strictSame(await probe, outcomes.processing)
  t.strictSame(await add(), outcomes.processing)
  t.strictSame(partner.calls.slice(5), ['status', 'add'])
})

t.test('what a call throws is not swallowed', async (t) => {
  const fault = new Error('a fault of ours')
  const { add } = startCircuit(t, {
    add: [
      () => {
        throw fault
      },
    ],
  })
  await t.rejects(add(), fault)
})

t.test('what a probe throws is not swallowed either', async (t) => {
  const fault = new Error('a fault of ours')
  const { add, ask, pass } = startCircuit(t, {
    add: Array(5).fill(failure),
    status: [
      () => {
        throw fault
      },
    ],
  })
  for (let i = 0; i < 5; i++) await add()
  pass(pauseMs)
  await t.rejects(ask(), fault)
})

t.test('an answer that comes after the circuit has opened is told, and is no probe', async (t) => {
  const gate = createGate()
  const { add, ask, pass, partner, states } = startCircuit(t, {
    add: Array(5).fill(failure),
    status: [() => gate.passed.then(() => outcomes.processing), outcomes.processing],
  })
  const late = ask()
  for (let i = 0; i < 5; i++) await add()
  pass(pauseMs)
  gate.open()
  t.strictSame(await late, outcomes.processing)
  t.strictSame(states, ['open'])
  t.strictSame(await ask(), outcomes.processing)
  t.strictSame(states, ['open', 'half_open', 'closed'], 'the next question is the probe')
  t.equal(partner.count('status'), 2)
})

t.test('a partner that is down opens the circuit of the service, and one that is back closes it', async (t) => {
  const port = await findFreePort()
  const service = await startTestService(t, { partnerUrl: `http://127.0.0.1:${port}` })
  const stateOf = async () => {
    const metrics = await service.metrics()
    return ['closed', 'open', 'half_open'].filter(
      (state) => metrics.get(`partner_circuit_state{state="${state}"}`) === 1,
    )
  }
  const callsOf = async (result: Result) =>
    (await service.metrics()).get(`partner_request_duration_seconds_count{operation="add",result="${result}"}`)
  t.strictSame(await stateOf(), ['closed'])

  // Three tries each, so the second one opens it.
  for (let i = 0; i < 2; i++) t.match(await service.create({ phone: phoneFor('567') }), unavailable)
  t.strictSame(await stateOf(), ['open'])
  const tries = await callsOf('refused')
  t.match(await service.create({ phone: phoneFor('567') }), unavailable)
  t.equal(await callsOf('refused'), tries, 'no socket was touched for it')

  const sandbox = buildSandbox({ credentials: sandboxCredentials })
  t.teardown(() => sandbox.close())
  await sandbox.listen(port)
  const answer = await until(
    () => service.create({ phone: phoneFor('567') }),
    ({ statusCode }) => statusCode !== 503,
  )
  t.equal(answer.statusCode, 201)
  t.strictSame(await stateOf(), ['closed'])
})

const unavailable = {
  statusCode: 503,
  headers: { 'retry-after': /^\d+$/ },
  body: { code: 'partner-unavailable', safeToRetry: 'yes' },
}

t.test('with every place taken the next create is refused and not sent, and everything else goes on', async (t) => {
  const path = makeLedgerFile(t)
  const gate = createGate()
  const partner = await startStandIn(t, { add: () => gate.passed.then(() => replies.success) })
  const service = await startTestService(t, {
    partnerUrl: partner.url,
    settings: {
      PARTNER_MAX_IN_FLIGHT: '2',
      PARTNER_TIMEOUT_MS: '20000',
      REQUEST_DEADLINE_MS: '30000',
      LEDGER_URL: `sqlite:${path}`,
      LEDGER_KEY: 'a ledger key of thirty-two bytes.',
    },
  })
  const body = { phone: phoneFor('567') }
  const running = [service.create(body, { 'idempotency-key': 'one' }), service.create(body)]
  await partner.received(2)

  const joinedArrival = arrivals(service.url, 1)
  const joined = service.create(body, { 'idempotency-key': 'one' })
  await joinedArrival

  const third = await service.create(body, { 'idempotency-key': 'three' })
  t.match(third, {
    statusCode: 503,
    headers: { 'retry-after': /^\d+$/ },
    body: { code: 'overloaded', safeToRetry: 'same-key-only' },
  })
  t.equal(partner.adds.length, 2, 'not sent')

  const { request_id: requestId } = partner.adds[0] ?? {}
  t.match(await service.get(`/clients/requests/${requestId}`), { statusCode: 200, body: { status: 'unknown' } })

  const ledger = await openTestLedger(t, `sqlite:${path}`)
  const left = newClaim({ deadlineMs: 1 })
  await ledger.claim(left)
  await ledger.postpone({ ...left, pauseMs: 0, takenAsks: 0, asks: 0, doubts: 0, isAcknowledged: false })
  await until(
    () => partner.questions,
    (questions) => questions.some(({ request_id }) => request_id === left.requestId),
  )
  t.pass('the reconciler asks all the same')

  gate.open()
  t.strictSame(
    (await Promise.all(running)).map(({ statusCode }) => statusCode),
    [201, 201],
  )
  t.match(await joined, { statusCode: 201, headers: { 'idempotency-status': 'joined' } }, 'joining takes no place')
  t.equal((await service.create(body, { 'idempotency-key': 'three' })).statusCode, 201, 'and there is room again')
  t.equal(partner.adds.length, 3)
})
