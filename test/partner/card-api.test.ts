import { createHash, createHmac } from 'node:crypto'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { createTurnstile, largeBodyBytes } from '../../src/large-bodies/event-loop-slices.ts'
import { type CardApiParts, createCardApi } from '../../src/partner/card-api.ts'
import { createDispatcher } from '../../src/partner/dispatcher.ts'
import { createDriftBook } from '../../src/partner/drifts.ts'
import { encodeRequest } from '../../src/partner/encode.ts'
import type { Outcome } from '../../src/partner/outcome.ts'
import { type AddClientRequest, paths } from '../../src/partner/schema.ts'
import { createSigner } from '../../src/partner/signature.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { httpAnswer, type PeerRequest, startPeer } from '../fixtures/peer.ts'

const credentials = { authId: '123456', secretKey: 'a-secret-that-is-easy-to-find' }
const longMs = 30_000
const requestId = '828cf71d-a447-4a67-a149-c1df8bc197ca'

/** Every value is a person's, but the ids. */
const request: AddClientRequest = {
  request_id: requestId,
  product_id: 1000,
  client: {
    phone: 998935551122,
    first_name: 'Gʻiyosiddin',
    last_name: 'Canaryeva',
    email: 'canary@example.com',
    document: 'JVBERi0xLjQKJUNBTkFSWQo=',
    address1: { address_line2: 'Canary street' },
  },
}
const personal = /998935551122|iyosiddin|canary|JVBERi/i

const codes = { duplicate: new Set(['1002']), notFound: new Set(['1006']) }

async function startCardApi(
  t: Test,
  answer: (socket: Socket, request: PeerRequest) => void,
  settings: Partial<CardApiParts> = {},
) {
  const peer = await startPeer(t, answer)
  const { origin } = peer
  const dispatcher = createDispatcher({ origin, connectTimeoutMs: longMs, keepAliveMs: 4000 })
  t.teardown(() => dispatcher.destroy())
  const logs: Record<string, unknown>[] = []
  const log = createLogger('trace', { write: (line: string) => void logs.push(JSON.parse(line)) })
  const observed: unknown[][] = []
  const startedAt = performance.now()
  const cardApi = createCardApi({
    dispatcher,
    origin,
    sign: createSigner('jws', () => credentials),
    turn: createTurnstile(),
    codes,
    timeoutMs: longMs,
    observer: {
      started: (operation) => observed.push(['started', operation]),
      ended: (operation, result, seconds) =>
        observed.push(['ended', operation, result, seconds >= 0 && seconds <= (performance.now() - startedAt) / 1000]),
    },
    ...settings,
  })
  const context = (remainingMs = longMs) => ({ deadlineAt: performance.now() + remainingMs, log })
  return { peer, cardApi, context, logs, observed }
}

const success = httpAnswer('200 OK', JSON.stringify({ status: 'ok', request_status: 'success', client_id: 'c-1' }))

function headersOf({ head }: PeerRequest): Map<string, string> {
  const lines = head.split('\r\n').slice(1)
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
}

t.test('the bytes that are sent are the bytes that are signed, by jws', async (t) => {
  const { peer, cardApi, context } = await startCardApi(t, (socket) => socket.write(success))
  await cardApi.addClient(encodeRequest(request), context())
  await cardApi.requestStatus(requestId, context())
  const bodies = [JSON.stringify(request), `{"request_id":"${requestId}"}`]
  for (const [i, path] of [paths.add, paths.status].entries()) {
    const received = await peer.arrival(i)
    const headers = headersOf(received)
    t.match(received.head, `POST ${path} HTTP/1.1\r\n`)
    t.equal(received.body.toString(), bodies[i], 'one line of JSON')
    t.equal(headers.get('content-length'), String(received.body.length), 'in bytes, not in letters')
    t.equal(headers.get('content-type'), 'application/json')
    t.equal(headers.get('accept'), 'application/json')
    const [header, signature] = headers.get('x-jws-signature')?.split('..') ?? []
    const input = `${header}.${received.body.toString('base64url')}`
    t.equal(signature, createHmac('sha512', credentials.secretKey).update(input).digest('base64url'))
    t.match(JSON.parse(Buffer.from(header ?? '', 'base64url').toString()), { uri: path, auth_id: '123456' })
  }
})

t.test('the bytes that are sent are the bytes that are signed, by sign', async (t) => {
  const sign = createSigner('sign', () => credentials)
  const { peer, cardApi, context } = await startCardApi(t, (socket) => socket.write(success), { sign })
  await cardApi.addClient(encodeRequest(request), context())
  const received = await peer.arrival(0)
  const headers = headersOf(received)
  const hash = createHash('sha256').update(received.body).update(credentials.secretKey).digest('hex')
  t.equal(headers.get('sign'), hash)
  t.equal(headers.get('auth-id'), '123456')
  t.match(headers.get('request-id'), /^[0-9a-f-]{36}$/)
})

t.test('the same request is the same bytes again', async (t) => {
  const { peer, cardApi, context } = await startCardApi(t, (socket) => socket.write(success))
  await cardApi.addClient(encodeRequest(request), context())
  await cardApi.addClient(encodeRequest(request), context())
  t.strictSame((await peer.arrival(0)).body, (await peer.arrival(1)).body)
})

interface Row {
  name: string
  /** By whether it is the answer to a create or to a question. */
  answer: (socket: Socket) => void
  add: Partial<Outcome>
  status?: Partial<Outcome>
  /** What the one line says beside the operation and the request; none where it is undefined. */
  logged?: Record<string, unknown>
}

/** Quotes what it was sent, as partners do. */
function answerWith(status: string, members: object): (socket: Socket) => void {
  const body = JSON.stringify({ ...members, error_description: `phone ${request.client.phone}, Canaryeva` })
  return (socket) => void socket.write(httpAnswer(status, body, ['Retry-After: 7']))
}

const rows: Row[] = [
  {
    name: 'success',
    answer: answerWith('200 OK', { status: 'ok', request_status: 'success', client_id: 'c-1' }),
    add: { kind: 'created', result: 'ok', clientId: 'c-1' },
  },
  {
    name: 'process',
    answer: answerWith('200 OK', { status: 'ok', request_status: 'process' }),
    add: { kind: 'processing', result: 'ok' },
  },
  {
    name: 'a refusal',
    answer: answerWith('200 OK', { status: 'error', request_status: 'error', error_code: 1001 }),
    add: { kind: 'rejected', result: 'rejected' },
  },
  {
    name: 'a repeated id',
    answer: answerWith('200 OK', { status: 'error', error_code: '1002' }),
    add: { kind: 'duplicate', result: 'rejected' },
  },
  {
    name: 'a contradiction',
    answer: answerWith('200 OK', { status: 'error', request_status: 'success' }),
    add: { kind: 'unknown', result: 'drift' },
    logged: { result: 'drift', drift: 'status "error" with request_status "success"' },
  },
  {
    name: 'a word that we do not know',
    answer: answerWith('200 OK', { status: 'ok', request_status: 'Canaryeva 998935551122' }),
    add: { kind: 'unknown', result: 'drift' },
    logged: { result: 'drift', drift: 'status "ok" with request_status unreadable' },
  },
  {
    name: 'HTML',
    answer: (socket) => socket.write(httpAnswer('200 OK', '<p>Canaryeva\n    at Canaryeva (998935551122)')),
    add: { kind: 'unknown', result: 'bad_body' },
    logged: { result: 'bad_body', err: { type: 'SyntaxError' } },
  },
  {
    name: 'HTTP 401',
    answer: answerWith('401 Unauthorized', { status: 'error' }),
    add: { kind: 'misconfigured', result: 'http_4xx' },
    logged: { result: 'http_4xx', partnerStatusCode: 401 },
  },
  {
    name: 'HTTP 429',
    answer: answerWith('429 Too Many Requests', { status: 'error' }),
    add: { kind: 'throttled', result: 'http_4xx', retryAfter: '7' },
    logged: { result: 'http_4xx' },
  },
  {
    name: 'HTTP 500',
    answer: answerWith('500 Internal Server Error', { status: 'error' }),
    add: { kind: 'unknown', result: 'http_5xx' },
    logged: { result: 'http_5xx', partnerStatusCode: 500 },
  },
  {
    name: 'a connection that is cut',
    answer: (socket) => socket.resetAndDestroy(),
    add: { kind: 'unknown', result: 'reset' },
    logged: { result: 'reset', err: { code: 'ECONNRESET' } },
  },
  {
    name: 'an answer that is not HTTP',
    answer: (socket) => socket.end('Canaryeva 998935551122\r\n'),
    add: { kind: 'unknown', result: 'bad_body' },
    logged: { result: 'bad_body', err: { type: 'HTTPParserError' } },
  },
]

for (const { name, answer, add, status = add, logged } of rows) {
  t.test(`${name} is one observation and ${logged === undefined ? 'no line' : 'one line'} in the log`, async (t) => {
    const { cardApi, context, logs, observed } = await startCardApi(t, answer)
    for (const operation of ['add', 'status'] as const) {
      logs.length = 0
      observed.length = 0
      const call =
        operation === 'add'
          ? cardApi.addClient(encodeRequest(request), context())
          : cardApi.requestStatus(requestId, context())
      const outcome = await call
      t.match(outcome, operation === 'add' ? add : status)
      t.strictSame(observed, [
        ['started', operation],
        ['ended', operation, outcome.result, true],
      ])
      const line = { level: 'warn', msg: 'partner call failed', operation, ...logged }
      t.match(logs, logged === undefined ? [] : [line])
      t.equal(logs.length, logged === undefined ? 0 : 1)
      t.notMatch(JSON.stringify(logs), personal, 'without personal data')
      t.notMatch(JSON.stringify(logs), credentials.secretKey, 'without the secret')
    }
  })
}

t.test('the drift of one create is counted once, and told once with the number of its answers', async (t) => {
  const drift = answerWith('200 OK', { status: 'ok', request_status: 'in_review' })
  const { cardApi, context, logs, observed } = await startCardApi(t, drift)
  const book = createDriftBook()
  const drifts = book.open(requestId)
  book.close(requestId, drifts, context().log)
  t.match(await cardApi.addClient(encodeRequest(request), { ...context(), drifts }), { result: 'drift' })
  t.match(await cardApi.requestStatus(requestId, { ...context(), drifts }), { result: 'drift' })
  t.match(
    observed.filter(([kind]) => kind === 'ended'),
    [
      ['ended', 'add', 'drift', true],
      ['ended', 'status', 'bad_body', true],
    ],
  )
  t.strictSame(logs, [])
  book.close(requestId, drifts, context().log)
  t.match(logs, [{ msg: 'partner call failed', operation: 'add', result: 'drift', drifts: 2 }])
  t.equal(logs.length, 1)

  const later = book.open(requestId)
  t.match(await cardApi.requestStatus(requestId, { ...context(), drifts: later }), { result: 'drift' })
  book.close(requestId, later, context().log)
  t.match(observed.at(-1), ['ended', 'status', 'bad_body', true], 'nor once more by a later question')
  t.equal(logs.length, 1)
})

t.test('an unknown request is an answer to a question and no failure, but a failure of a create', async (t) => {
  const { cardApi, context, logs } = await startCardApi(t, (socket) => socket.write(httpAnswer('404 Not Found', '{}')))
  t.match(await cardApi.requestStatus(requestId, context()), { kind: 'no-such-request', result: 'http_4xx' })
  t.strictSame(logs, [])
  t.match(await cardApi.addClient(encodeRequest(request), context()), { kind: 'unknown', result: 'http_4xx' })
  t.match(logs, [{ operation: 'add', partnerStatusCode: 404 }])
})

t.test('a call ends with its own time-out, or with the deadline where that comes first', async (t) => {
  const shortMs = 50
  for (const [timeoutMs, remainingMs] of [
    [shortMs, longMs],
    [longMs, shortMs],
  ]) {
    const { cardApi, context, logs, observed } = await startCardApi(t, () => {}, { timeoutMs: timeoutMs ?? 0 })
    const outcome = await cardApi.addClient(encodeRequest(request), context(remainingMs))
    const isOurDoing = remainingMs === shortMs ? true : undefined
    t.match(outcome, { result: 'timeout', isOurDoing }, 'a deadline that is shorter says nothing of FreedomPay')
    t.match(observed, [
      ['started', 'add'],
      ['ended', 'add', 'timeout', true],
    ])
    t.match(logs, [{ msg: 'partner call failed', result: 'timeout' }])
  }
})

t.test('a deadline that has passed lets nothing be sent, not even on an open connection', async (t) => {
  const { peer, cardApi, context, logs, observed } = await startCardApi(t, (socket) => socket.write(success))
  await cardApi.requestStatus(requestId, context())
  observed.length = 0
  for (const remainingMs of [0, -1]) {
    t.match(await cardApi.addClient(encodeRequest(request), context(remainingMs)), {
      kind: 'not-sent',
      result: 'timeout',
      isOurDoing: true,
      cause: { message: 'the deadline was over before anything was sent' },
    })
  }
  t.match(observed.slice(2), [
    ['started', 'add'],
    ['ended', 'add', 'timeout', true],
  ])
  const line = { msg: 'partner call failed', operation: 'add', result: 'timeout' }
  t.match(logs, [line, line])
  await cardApi.requestStatus(requestId, context())
  t.match(peer.requests, [{ head: new RegExp(paths.status) }, { head: new RegExp(paths.status) }])
})

t.test('a deadline that passes while the body is signed lets nothing be sent', async (t) => {
  const sign: CardApiParts['sign'] = createSigner('jws', () => credentials)
  let deadlineAt = Infinity
  const slowSign = Object.assign((path: string, body: Buffer) => {
    deadlineAt = performance.now() - 1
    return sign(path, body)
  }, sign)
  const { peer, cardApi, context } = await startCardApi(t, (socket) => socket.write(success), { sign: slowSign })
  const late = Object.defineProperty(context(), 'deadlineAt', { get: () => deadlineAt })
  t.match(await cardApi.requestStatus(requestId, late), { kind: 'not-sent', result: 'timeout' })
  t.equal(peer.connections, 0)
})

t.test('a body is signed in turns from the size on at which it is large', async (t) => {
  const signed: [way: string, bytes: number][] = []
  const sign = createSigner('jws', () => credentials)
  const noted: CardApiParts['sign'] = Object.assign(
    (path: string, body: Buffer) => {
      signed.push(['at once', body.length])
      return sign(path, body)
    },
    sign,
    {
      inTurns: (path: string, body: Buffer, turn: CardApiParts['turn']) => {
        signed.push(['in turns', body.length])
        return sign.inTurns(path, body, turn)
      },
    },
  )
  const { cardApi, context } = await startCardApi(t, (socket) => socket.write(success), { sign: noted })
  for (const bytes of [largeBodyBytes - 1, largeBodyBytes]) {
    await cardApi.addClient({ requestId, body: Buffer.alloc(bytes, 'a') }, context())
  }
  t.strictSame(signed, [
    ['at once', largeBodyBytes - 1],
    ['in turns', largeBodyBytes],
  ])
})

t.test('the credentials are read again after FreedomPay has refused them, and only then', async (t) => {
  let readings = 0
  const read = () => {
    readings++
    return credentials
  }
  const sign = createSigner('jws', read)
  let status = '200 OK'
  const { cardApi, context } = await startCardApi(t, (socket) => socket.write(httpAnswer(status, '{}')), { sign })
  const readAfter = async (next: string) => {
    status = next
    const before = readings
    await cardApi.requestStatus(requestId, context())
    return readings > before
  }
  t.equal(await readAfter('200 OK'), false)
  t.equal(await readAfter('500 Internal Server Error'), false)
  t.equal(await readAfter('401 Unauthorized'), true)
})

t.test('the headers of a trace are sent along, and the trace ends with the outcome', async (t) => {
  const ended: Outcome[] = []
  const startTrace = () => ({
    headers: { traceparent: '00-1-2-01' },
    end: (outcome: Outcome) => void ended.push(outcome),
  })
  const { peer, cardApi, context } = await startCardApi(t, (socket) => socket.write(success), { startTrace })
  const outcome = await cardApi.requestStatus(requestId, context())
  t.equal(headersOf(await peer.arrival(0)).get('traceparent'), '00-1-2-01')
  t.strictSame(ended, [outcome])
})

t.test('only a drift is held back for the end of a create', async (t) => {
  const failure = answerWith('500 Internal Server Error', {})
  const { cardApi, context, logs, observed } = await startCardApi(t, failure)
  const drifts = createDriftBook().open(requestId)
  drifts.count = 1
  await cardApi.requestStatus(requestId, { ...context(), drifts })
  t.match(logs, [{ msg: 'partner call failed', result: 'http_5xx' }])
  t.match(observed.at(-1), ['ended', 'status', 'http_5xx', true])
  t.equal(drifts.count, 1)
})

t.test('a partner that nobody can reach is one line and one observation', async (t) => {
  const origin = 'http://card-api.invalid'
  const dispatcher = createDispatcher({ origin, connectTimeoutMs: longMs, keepAliveMs: 4000 })
  t.teardown(() => dispatcher.destroy())
  const { cardApi, context, logs, observed } = await startCardApi(t, () => {}, { dispatcher, origin })
  t.match(await cardApi.addClient(encodeRequest(request), context()), { kind: 'not-sent', result: 'dns' })
  t.match(observed, [
    ['started', 'add'],
    ['ended', 'add', 'dns', true],
  ])
  t.match(logs, [{ msg: 'partner call failed', result: 'dns', err: { code: /^(ENOTFOUND|EAI_AGAIN)$/ } }])
  t.notMatch(JSON.stringify(logs), personal)
})
