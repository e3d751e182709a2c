import { createServer, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import t, { type Test } from 'tap'
import { buildConnector, Dispatcher, Pool } from 'undici'
import { createDispatcher } from '../../src/partner/dispatcher.ts'
import { type Call, type Exchange, exchange } from '../../src/partner/exchange.ts'
import { countTimers } from '../fixtures/count-timers.ts'
import { httpAnswer, listen, type PeerRequest, startPeer } from '../fixtures/peer.ts'
import { createSelfSigned } from '../fixtures/self-signed.ts'

/** Far beyond anything that a test waits for, on any machine. */
const longMs = 30_000
/** For what must run out. */
const shortMs = 150

function dispatcherFor(t: Test, origin: string, settings: { connectTimeoutMs?: number } = {}) {
  const dispatcher = createDispatcher({ origin, connectTimeoutMs: longMs, ...settings, keepAliveMs: 4000 })
  t.teardown(() => dispatcher.destroy())
  return dispatcher
}

function poolFor(t: Test, origin: string, options: Pool.Options): Pool {
  const pool = new Pool(origin, options)
  t.teardown(() => pool.destroy())
  return pool
}

function callTo(origin: string, settings: Partial<Call> = {}): Call {
  const headers = { 'content-type': 'application/json' }
  return {
    origin,
    path: '/call',
    headers,
    body: Buffer.from('{"a":1}'),
    timeoutMs: longMs,
    isCutShort: false,
    ...settings,
  }
}

/** One call to a peer that answers like this. */
async function exchangeWith(
  t: Test,
  answer: (socket: Socket, request: PeerRequest) => void,
  settings: Partial<Call> = {},
): Promise<Exchange> {
  const { origin } = await startPeer(t, answer)
  return exchange(dispatcherFor(t, origin), callTo(origin, settings))
}

function pathOf({ head }: PeerRequest): string | undefined {
  return head.split(' ')[1]
}

t.test('an answer is handed over as it came', async (t) => {
  const peer = await startPeer(t, (socket) => socket.write(httpAnswer('200 OK', '{"имя":"Gʻani"}', ['Retry-After: 7'])))
  const ended = await exchange(dispatcherFor(t, peer.origin), callTo(peer.origin))
  t.strictSame(ended, { kind: 'answered', statusCode: 200, retryAfter: '7', body: '{"имя":"Gʻani"}' })
  const [request] = peer.requests
  t.match(request?.head, /^POST \/call HTTP\/1\.1\r\n/)
  t.match(request?.head, /^content-type: application\/json$/im)
  t.equal(request?.body.toString(), '{"a":1}')
})

t.test('an answer in pieces is put together, letters in pieces included', async (t) => {
  const ended = await exchangeWith(t, (socket) => {
    const bytes = Buffer.from(httpAnswer('200 OK', '"Gʻani"'))
    const half = bytes.indexOf('ʻ') + 1
    socket.setNoDelay(true)
    socket.write(bytes.subarray(0, half), () => setImmediate(() => socket.write(bytes.subarray(half))))
  })
  t.match(ended, { kind: 'answered', statusCode: 200, retryAfter: undefined, body: '"Gʻani"' })
})

t.test('any status is an answer, and no redirect is followed', async (t) => {
  const target = await startPeer(t, (socket) => socket.write(httpAnswer('200 OK', '{}')))
  for (const status of ['204 No Content', '302 Found', '307 Temporary Redirect', '401 No', '500 Broken', '599 Odd']) {
    const peer = await startPeer(t, (socket) => socket.write(httpAnswer(status, '', [`Location: ${target.origin}/`])))
    const ended = await exchange(dispatcherFor(t, peer.origin), callTo(peer.origin))
    t.match(ended, { kind: 'answered', statusCode: Number(status.slice(0, 3)), body: '' })
    t.equal(peer.requests.length, 1)
  }
  t.equal(target.connections, 0)
})

t.test('of Retry-After sent twice the first counts', async (t) => {
  const headers = ['Retry-After: 1', 'Retry-After: 99']
  const ended = await exchangeWith(t, (socket) => socket.write(httpAnswer('429 Slow Down', '', headers)))
  t.match(ended, { statusCode: 429, retryAfter: '1' })
})

t.test('what comes before the answer is not the answer', async (t) => {
  const early = 'HTTP/1.1 103 Early Hints\r\nRetry-After: 99\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n'
  const ended = await exchangeWith(t, (socket) => socket.write(early + httpAnswer('200 OK', '{}')))
  t.strictSame(ended, { kind: 'answered', statusCode: 200, retryAfter: undefined, body: '{}' })
})

t.test('256 KiB are an answer, one byte more is none', async (t) => {
  const limit = 256 * 1024
  const chunked = (text: string) =>
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
  for (const render of [(text: string) => httpAnswer('200 OK', text), chunked]) {
    const whole = await exchangeWith(t, (socket) => socket.write(render('x'.repeat(limit))))
    t.match(whole, { kind: 'answered', statusCode: 200 })
    t.equal(whole.kind === 'answered' && whole.body.length, limit)
    const longer = await exchangeWith(t, (socket) => socket.write(render('x'.repeat(limit + 1))))
    t.match(longer, { kind: 'failed', sent: true, reason: 'bad_body', cause: /longer than 262144 bytes/ })
    t.notOk('isOurDoing' in longer, 'the partner’s doing')
  }
})

/** With a connection that is open, so that a call leaves before its time is over, however slow the machine is. */
async function startWarmPeer(t: Test, answer: (socket: Socket, request: PeerRequest) => void) {
  const peer = await startPeer(t, (socket, request) => {
    if (pathOf(request) === '/warm-up') socket.write(httpAnswer('200 OK', '{}'))
    else answer(socket, request)
  })
  const dispatcher = dispatcherFor(t, peer.origin)
  await exchange(dispatcher, callTo(peer.origin, { path: '/warm-up' }))
  // Until then the connection counts as busy, and the next call would open another one.
  await nextTurn()
  return { peer, dispatcher }
}

interface Fault {
  name: string
  answer: (socket: Socket) => void
  reason: string
  timeoutMs?: number
}

/** One byte every few milliseconds for as long as somebody listens. */
function drip(socket: Socket, text: string): void {
  let sent = 0
  const timer = setInterval(() => socket.write(text[sent++ % text.length] ?? ''), 5)
  socket.once('close', () => clearInterval(timer))
}

const afterSending: Fault[] = [
  { name: 'the connection is reset', answer: (socket) => socket.resetAndDestroy(), reason: 'reset' },
  { name: 'the connection is closed', answer: (socket) => socket.end(), reason: 'reset' },
  {
    name: 'the answer ends in its headers',
    answer: (socket) => socket.end('HTTP/1.1 200 OK\r\nConte'),
    reason: 'reset',
  },
  {
    name: 'the answer ends in its body',
    answer: (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"status":"ok"'),
    reason: 'reset',
  },
  {
    name: 'the connection is reset in the body',
    answer: (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{', () =>
        setImmediate(() => socket.resetAndDestroy()),
      ),
    reason: 'reset',
  },
  {
    name: 'the last chunk is missing',
    answer: (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n'),
    reason: 'reset',
  },
  {
    name: 'a chunk has no length',
    answer: (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n'),
    reason: 'bad_body',
  },
  { name: 'the answer is not HTTP', answer: (socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'), reason: 'bad_body' },
  {
    name: 'the headers have no end',
    answer: (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`),
    reason: 'bad_body',
  },
  {
    name: 'it is told to continue what it has sent already',
    answer: (socket) => socket.write(`HTTP/1.1 100 Continue\r\n\r\n${httpAnswer('200 OK', '{}')}`),
    reason: 'reset',
  },
  {
    name: 'the protocol is switched',
    answer: (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
    reason: 'reset',
  },
  { name: 'there is no answer', answer: () => {}, reason: 'timeout', timeoutMs: shortMs },
  {
    name: 'there are headers and no body',
    answer: (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'),
    reason: 'timeout',
    timeoutMs: shortMs,
  },
  {
    name: 'the headers come byte by byte',
    answer: (socket) => drip(socket, `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(10_000)}`),
    reason: 'timeout',
    timeoutMs: shortMs,
  },
  {
    name: 'the body comes byte by byte',
    answer: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n')
      drip(socket, ' ')
    },
    reason: 'timeout',
    timeoutMs: shortMs,
  },
]

for (const { name, answer, reason, timeoutMs = longMs } of afterSending) {
  t.test(`when ${name}, nobody knows what became of the call (${reason})`, async (t) => {
    const { peer, dispatcher } = await startWarmPeer(t, answer)
    const ended = await exchange(dispatcher, callTo(peer.origin, { timeoutMs }))
    t.match(ended, { kind: 'failed', sent: true, reason, cause: Error })
    t.strictSame(peer.requests.slice(1).map(pathOf), ['/call'], 'it was sent once')
  })
}

t.test('whether a call that ended too early says anything of the partner', async (t) => {
  const cuts: ((socket: Socket) => void)[] = [(socket) => socket.resetAndDestroy(), (socket) => socket.end()]
  for (const cut of cuts) {
    const { peer, dispatcher } = await startWarmPeer(t, cut)
    const reused = await exchange(dispatcher, callTo(peer.origin))
    t.equal(peer.connections, 1)
    t.match(reused, { sent: true, reason: 'reset', isOurDoing: true }, 'an idle connection may be closed at any moment')
    const fresh = await exchangeWith(t, cut)
    t.match(fresh, { sent: true, reason: 'reset' })
    t.notOk('isOurDoing' in fresh, 'a new connection has no excuse')
  }
  const begun = await startWarmPeer(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{'))
  const broken = await exchange(begun.dispatcher, callTo(begun.peer.origin))
  t.match(broken, { sent: true, reason: 'reset' })
  t.notOk('isOurDoing' in broken, 'nor has an answer that has begun')
  for (const isCutShort of [true, false]) {
    const { peer, dispatcher } = await startWarmPeer(t, () => {})
    const ended = await exchange(dispatcher, callTo(peer.origin, { timeoutMs: shortMs, isCutShort }))
    t.match(ended, { sent: true, reason: 'timeout', cause: { message: new RegExp(`${shortMs} ms`) } })
    t.equal('isOurDoing' in ended, isCutShort, 'the deadline of a create is not the partner’s fault')
  }
})

t.test('a connection that a call was given up on is not used again', async (t) => {
  const { peer, dispatcher } = await startWarmPeer(t, (socket, request) => {
    if (pathOf(request) === '/second') socket.write(httpAnswer('200 OK', '{}'))
  })
  t.match(await exchange(dispatcher, callTo(peer.origin, { timeoutMs: shortMs })), { sent: true, reason: 'timeout' })
  t.match(await exchange(dispatcher, callTo(peer.origin, { path: '/second' })), { kind: 'answered' })
  t.equal(peer.connections, 2)
})

t.test('a time-out of another dispatcher’s own is a time-out, too', async (t) => {
  const silent = await startPeer(t, () => {})
  const stuck = await startPeer(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{'))
  const ends = await Promise.all(
    [silent, stuck].map(({ origin }) =>
      exchange(poolFor(t, origin, { headersTimeout: 1, bodyTimeout: 1 }), callTo(origin)),
    ),
  )
  const codes = ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']
  for (const [i, ended] of ends.entries()) {
    t.match(ended, { kind: 'failed', sent: true, reason: 'timeout', cause: { code: codes[i] } })
  }
})

/** A TLS listener that does this to every connection, handshake or not. */
async function startTlsPeer(t: Test, options: { host?: string; notAfter?: string }) {
  const { key, cert } = createSelfSigned(options)
  const requests: string[] = []
  const server = createTlsServer({ key, cert }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      requests.push(chunk.toString())
      socket.write(httpAnswer('200 OK', '{}'))
    })
  })
  const origin = await listen(t, server, 'https', 'localhost')
  return { origin, cert, requests }
}

t.test('a host with a certificate that is trusted gets the call, over TLS', async (t) => {
  const { origin, cert, requests } = await startTlsPeer(t, {})
  const ended = await exchange(poolFor(t, origin, { connect: { ca: cert } }), callTo(origin))
  t.match(ended, { kind: 'answered', statusCode: 200 })
  t.match(requests.join(''), /^POST \/call/)
})

t.test('a host with a certificate that nobody trusts gets nothing', async (t) => {
  const { origin, requests } = await startTlsPeer(t, {})
  const ended = await exchange(dispatcherFor(t, origin), callTo(origin))
  t.match(ended, { kind: 'failed', sent: false, reason: 'tls', cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } })
  t.strictSame(requests, [])
})

t.test('a certificate for another host, or of another time, gets nothing', async (t) => {
  for (const options of [{ host: 'other.example' }, { notAfter: '210101000000Z' }]) {
    const { origin, cert, requests } = await startTlsPeer(t, options)
    const ended = await exchange(poolFor(t, origin, { connect: { ca: cert } }), callTo(origin))
    t.match(ended, { kind: 'failed', sent: false, reason: 'tls' })
    t.strictSame(requests, [])
  }
})

const handshakes: { name: string; answer: (socket: Socket) => void; reason: string; connectTimeoutMs?: number }[] = [
  { name: 'is closed', answer: (socket) => socket.end(), reason: 'tls' },
  {
    name: 'is answered without TLS',
    answer: (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    reason: 'tls',
  },
  { name: 'is refused', answer: (socket) => socket.end(Buffer.from('15030300020228', 'hex')), reason: 'tls' },
  { name: 'is not answered', answer: () => {}, reason: 'timeout', connectTimeoutMs: shortMs },
]

for (const { name, answer, reason, connectTimeoutMs = longMs } of handshakes) {
  t.test(`when the TLS handshake ${name}, nothing was sent (${reason})`, async (t) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => answer(socket))
    })
    const origin = await listen(t, server, 'https', 'localhost')
    const ended = await exchange(dispatcherFor(t, origin, { connectTimeoutMs }), callTo(origin))
    t.match(ended, { kind: 'failed', sent: false, reason, cause: Error })
  })
}

t.test('when the connection is reset in the TLS handshake, nothing was sent', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.resetAndDestroy())
  })
  const origin = await listen(t, server, 'https', 'localhost')
  const ended = await exchange(dispatcherFor(t, origin), callTo(origin))
  // The same code as that of a connection which is reset after sending.
  t.match(ended, { kind: 'failed', sent: false, cause: { code: 'ECONNRESET' } })
})

t.test('when there is no such name, nothing was sent', async (t) => {
  const origin = 'https://card-api.invalid'
  t.match(await exchange(dispatcherFor(t, origin), callTo(origin)), { kind: 'failed', sent: false, reason: 'dns' })
})

t.test('when nobody listens, nothing was sent', async (t) => {
  const server = createServer()
  const origin = await listen(t, server, 'http')
  await new Promise((resolve) => server.close(resolve))
  const ended = await exchange(dispatcherFor(t, origin), callTo(origin))
  t.match(ended, { kind: 'failed', sent: false, reason: 'refused', cause: { code: 'ECONNREFUSED' } })
})

t.test('after the service has closed its connections, nothing is sent', async (t) => {
  const peer = await startPeer(t, () => {})
  const dispatcher = dispatcherFor(t, peer.origin)
  await dispatcher.destroy()
  t.match(await exchange(dispatcher, callTo(peer.origin)), { kind: 'failed', sent: false, cause: Error })
  t.equal(peer.connections, 0)
})

t.test('given up while all connections are busy, it is never sent', async (t) => {
  const held: Socket[] = []
  const peer = await startPeer(t, (socket) => held.push(socket))
  const pool = poolFor(t, peer.origin, { connections: 1 })
  const first = exchange(pool, callTo(peer.origin, { path: '/first' }))
  await peer.arrival(0)
  const second = await exchange(pool, callTo(peer.origin, { path: '/second', timeoutMs: shortMs }))
  t.match(second, { kind: 'failed', sent: false, reason: 'timeout' })
  const third = exchange(pool, callTo(peer.origin, { path: '/third' }))
  held[0]?.write(httpAnswer('200 OK', '{}'))
  t.match(await first, { kind: 'answered' })
  // Calls queue in order, so the second one would have been sent before this one.
  t.equal(pathOf(await peer.arrival(1)), '/third')
  held.at(-1)?.write(httpAnswer('200 OK', '{}'))
  t.match(await third, { kind: 'answered' })
  t.strictSame(peer.requests.map(pathOf), ['/first', '/third'])
})

t.test('given up while the connection is being made, it is never sent', async (t) => {
  const peer = await startPeer(t, (socket) => socket.write(httpAnswer('200 OK', '{}')))
  const open = Promise.withResolvers<void>()
  const connector = buildConnector({})
  const pool = poolFor(t, peer.origin, {
    connections: 1,
    connect: (options, callback) => void open.promise.then(() => connector(options, callback)),
  })
  const first = await exchange(pool, callTo(peer.origin, { path: '/first', timeoutMs: shortMs }))
  t.match(first, { kind: 'failed', sent: false, reason: 'timeout' })
  const second = exchange(pool, callTo(peer.origin, { path: '/second' }))
  open.resolve()
  t.match(await second, { kind: 'answered' })
  t.strictSame(peer.requests.map(pathOf), ['/second'])
})

function controllerWith(abort: (error: Error) => void): Dispatcher.DispatchController {
  return { aborted: false, paused: false, reason: null, abort, pause() {}, resume() {} }
}

/** Fails every call with this, before or after it was sent: for what loopback cannot show. */
class FailingDispatcher extends Dispatcher {
  readonly error: Error
  readonly isSent: boolean

  constructor(error: Error, isSent: boolean) {
    super()
    this.error = error
    this.isSent = isSent
  }

  override dispatch(_options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const controller = controllerWith(() => {})
    if (this.isSent) handler.onRequestStart?.(controller, {})
    handler.onResponseError?.(controller, this.error)
    return true
  }
}

/** Starts each call only when its time is over, as a process does that stood still. */
class LateDispatcher extends Dispatcher {
  aborted = 0

  override dispatch(_options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const startedAt = performance.now()
    while (performance.now() < startedAt + 10);
    const controller = controllerWith((error) => {
      this.aborted++
      handler.onResponseError?.(controller, error)
    })
    handler.onRequestStart?.(controller, {})
    if (this.aborted === 0) {
      handler.onResponseStart?.(controller, 200, {})
      handler.onResponseEnd?.(controller, {})
    }
    return true
  }
}

t.test('an exchange that has ended leaves no timer', async (t) => {
  const timers = countTimers()
  const ended = await exchange(new FailingDispatcher(new Error('gone'), true), callTo('http://127.0.0.1'))
  t.match(ended, { kind: 'failed', reason: 'reset' })
  t.equal(countTimers(), timers)
})

t.test('a process that stood still sends nothing late', async (t) => {
  const late = new LateDispatcher()
  const ended = await exchange(late, callTo('http://127.0.0.1:9', { timeoutMs: 9 }))
  t.match(ended, { kind: 'failed', sent: false, reason: 'timeout', cause: Error })
  t.equal(late.aborted, 1)
  const inTime = new LateDispatcher()
  t.match(await exchange(inTime, callTo('http://127.0.0.1:9')), { kind: 'answered', statusCode: 200, body: '' })
  t.equal(inTime.aborted, 0)
})

const labels: { error: Error; before: string; after: string }[] = [
  { error: errorWith('ENOTFOUND'), before: 'dns', after: 'reset' },
  { error: errorWith('EAI_AGAIN'), before: 'dns', after: 'reset' },
  { error: errorWith('ETIMEDOUT'), before: 'timeout', after: 'timeout' },
  { error: errorWith('UND_ERR_CONNECT_TIMEOUT'), before: 'timeout', after: 'reset' },
  { error: errorWith('CERT_HAS_EXPIRED'), before: 'tls', after: 'reset' },
  { error: errorWith('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), before: 'tls', after: 'reset' },
  { error: errorWith('SELF_SIGNED_CERT_IN_CHAIN'), before: 'tls', after: 'reset' },
  { error: errorWith('EPROTO'), before: 'tls', after: 'reset' },
  { error: errorWith('EHOSTUNREACH'), before: 'refused', after: 'reset' },
  { error: errorWith('ECONNRESET'), before: 'refused', after: 'reset' },
  { error: errorWith(7), before: 'refused', after: 'reset' },
  { error: new Error('no code at all'), before: 'refused', after: 'reset' },
]

function errorWith(code: unknown): Error {
  return Object.assign(new Error('failed'), { code })
}

for (const { error, before, after } of labels) {
  const name = 'code' in error ? String(error.code) : 'no code'
  t.test(`an error with ${name} is counted as ${before} before sending, as ${after} after it`, async (t) => {
    const call = callTo('http://127.0.0.1:9')
    const unsent = await exchange(new FailingDispatcher(error, false), call)
    t.strictSame(unsent, { kind: 'failed', sent: false, reason: before, cause: error })
    const sent = await exchange(new FailingDispatcher(error, true), call)
    t.strictSame(sent, { kind: 'failed', sent: true, reason: after, cause: error })
  })
}
