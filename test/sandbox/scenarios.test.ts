import t from 'tap'
import { loadPartnerContract } from '../fixtures/partner-contract.ts'
import { addBody, fast, startSandbox, sumUp } from '../fixtures/sandbox-caller.ts'
import { until } from '../fixtures/until.ts'

const contract = loadPartnerContract()

const firstAnswers = [
  { digits: '567', add: 'ok success', status: 'ok success', exists: true },
  { digits: '001', add: 'ok process', status: 'ok process', exists: false },
  { digits: '002', add: 'error error 1001', status: 'error error 1001', exists: false },
  { digits: '003', add: 'no answer', status: 'ok success', exists: true },
  { digits: '006', add: 'HTTP 500', status: 'error error 1006', exists: false },
  { digits: '007', add: 'text/html', status: 'ok success', exists: true },
  { digits: '009', add: 'HTTP 429', status: 'error error 1006', exists: false },
  { digits: '010', add: 'ok process', status: 'ok process', exists: false },
  { digits: '011', add: 'HTTP 401', status: 'error error 1006', exists: false },
  { digits: '012', add: 'ok in_review', status: 'ok in_review', exists: true },
  { digits: '013', add: 'ok process', status: 'ok process', exists: false },
  { digits: '014', add: 'HTTP 502', status: 'error error 1006', exists: false },
  { digits: '015', add: 'ok process', status: 'error error 1999', exists: false },
  { digits: '016', add: 'no answer', status: 'HTTP 404', exists: true },
]

for (const expected of firstAnswers) {
  t.test(`${expected.digits}: add ends in ${expected.add}, then status says ${expected.status}`, async (t) => {
    const { send, ask, isListed } = await startSandbox(t)
    const body = addBody(expected.digits)
    t.strictSame(contract.checkRequest('add', body), [])
    const added = await send('add', body).catch(() => undefined)
    t.equal(added === undefined ? 'no answer' : sumUp(added), expected.add)
    t.notOk(added?.text.includes('client_id'), 'add never tells the client id')

    const { body: status, ...answer } = await ask(body.request_id)
    t.equal(sumUp({ ...answer, body: status }), expected.status)
    t.equal(await isListed(body.request_id), expected.exists)
    t.equal(typeof status.client_id, expected.status === 'ok success' ? 'string' : 'undefined')
    t.strictSame((status as { cards?: unknown }).cards, expected.status === 'ok success' ? [] : undefined)
  })
}

const laterAnswers = [
  { digits: '001', status: 'ok success', exists: true },
  { digits: '012', status: 'ok success', exists: true },
  { digits: '013', status: 'ok error 1001', exists: false },
  { digits: '014', status: 'ok success', exists: true },
  { digits: '015', status: 'ok success', exists: true },
  { digits: '016', status: 'ok success', exists: true },
]

for (const { digits, status, exists } of laterAnswers) {
  t.test(`${digits}: in time status says ${status}`, async (t) => {
    const { send, ask, isListed } = await startSandbox(t, { timings: fast })
    const body = addBody(digits)
    await send('add', body).catch(() => undefined)
    await until(
      async () => sumUp(await ask(body.request_id)),
      (seen) => seen === status,
    )
    t.equal(await isListed(body.request_id), exists)
  })
}

t.test('004 creates the client and never answers', async (t) => {
  const { send, ask, isListed } = await startSandbox(t)
  const body = addBody('004')
  const hangUp = new AbortController()
  const outcome = send('add', body, { signal: hangUp.signal }).then(sumUp, () => 'no answer')
  await until(
    async () => sumUp(await ask(body.request_id)),
    (seen) => seen === 'ok success',
  )
  t.ok(await isListed(body.request_id))
  t.equal(await Promise.race([outcome, 'still silent']), 'still silent')
  hangUp.abort()
  t.equal(await outcome, 'no answer')
})

t.test('005 neither answers nor knows the request afterwards', async (t) => {
  const { send, ask, isListed, received } = await startSandbox(t)
  const body = addBody('005')
  const hangUp = new AbortController()
  const outcome = send('add', body, { signal: hangUp.signal }).then(sumUp, () => 'no answer')
  await until(
    () => received.length,
    (calls) => calls === 1,
  )
  t.equal(sumUp(await ask(body.request_id)), 'error error 1006')
  t.notOk(await isListed(body.request_id))
  t.equal(await Promise.race([outcome, 'still silent']), 'still silent')
  hangUp.abort()
  t.equal(await outcome, 'no answer')
})

t.test('008 sends one byte and lets the caller wait for the next', async (t) => {
  const { open, ask } = await startSandbox(t)
  const body = addBody('008')
  const { statusCode, body: stream } = await open('add', body)
  t.equal(statusCode, 200)
  const first = await stream[Symbol.asyncIterator]().next()
  t.equal(String(first.value), '{')
  t.equal(sumUp(await ask(body.request_id)), 'ok success')
  stream.destroy()
})

t.test('008 answers completely in the end', async (t) => {
  const { send } = await startSandbox(t, { timings: fast })
  t.equal(sumUp(await send('add', addBody('008'))), 'ok success')
})

t.test('009 asks for a pause once for each request and then works', async (t) => {
  const { send, isListed } = await startSandbox(t)
  const body = addBody('009')
  const throttled = await send('add', body)
  t.equal(throttled.statusCode, 429)
  t.equal(throttled.headers['retry-after'], '1')
  t.equal(sumUp(await send('add', body)), 'ok success')
  t.ok(await isListed(body.request_id))
  t.equal((await send('add', addBody('009'))).statusCode, 429)
})

t.test('017 tells a client_id that JavaScript cannot hold', async (t) => {
  const { send, ask, isListed } = await startSandbox(t)
  const body = addBody('017')
  t.equal(sumUp(await send('add', body)), 'ok success')
  t.match((await ask(body.request_id)).text, '"client_id":9007199254740993,')
  t.ok(await isListed(body.request_id))
})

t.test('014 takes a repetition before it is registered as if it were the first, and creates one client', async (t) => {
  const { send, list } = await startSandbox(t, { timings: { ...fast, lateMs: 200 } })
  const body = addBody('014')
  t.equal(sumUp(await send('add', body)), 'HTTP 502')
  t.equal(sumUp(await send('add', body)), 'HTTP 502')
  await until(list, (clients) => clients.length > 0)
  t.match(await list(), [{ requestId: body.request_id }])
  t.equal(sumUp(await send('add', body)), 'error error 1002')
})

t.test('a sandbox that accepts repetitions creates a client for each', async (t) => {
  const { send, list } = await startSandbox(t, { acceptsRepeats: true })
  const body = addBody('567')
  t.equal(sumUp(await send('add', body)), 'ok success')
  t.equal(sumUp(await send('add', body)), 'ok success')
  const clients = await list()
  t.strictSame(
    clients.map(({ requestId }) => requestId),
    [body.request_id, body.request_id],
  )
  t.not(clients[0]?.clientId, clients[1]?.clientId)
})

t.test('a repetition is listed where its time puts it: the oldest request comes first', async (t) => {
  const { send, list } = await startSandbox(t, { acceptsRepeats: true })
  const [first, second] = [addBody('567'), addBody('567')]
  for (const body of [first, first, second]) await send('add', body)
  t.strictSame(
    (await list()).map(({ requestId }) => requestId),
    [first.request_id, first.request_id, second.request_id],
  )
})
