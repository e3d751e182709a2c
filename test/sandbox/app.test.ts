import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { request } from 'undici'
import { type Operation, paths } from '../../src/partner/schema.ts'
import { createSigner, type SignatureHeaders } from '../../src/partner/signature.ts'
import { buildSandbox } from '../../src/sandbox/app.ts'
import { sandboxCredentials } from '../../src/sandbox/credentials.ts'
import { addBody, fast, startSandbox, sumUp } from '../fixtures/sandbox-caller.ts'
import { until } from '../fixtures/until.ts'

for (const digits of ['567', '002', '010']) {
  t.test(`a request_id that came before is refused with 1002, whatever became of it (${digits})`, async (t) => {
    const { send, sandbox } = await startSandbox(t)
    const body = addBody(digits)
    await send('add', body)
    const before = sandbox.clients()
    t.equal(sumUp(await send('add', body)), 'error error 1002')
    t.equal(sumUp(await send('add', addBody('567', body.request_id))), 'error error 1002')
    t.strictSame(sandbox.clients(), before)
  })
}

t.test('a request_id that was not registered may come again', async (t) => {
  const { send } = await startSandbox(t)
  const body = addBody('006')
  await send('add', body)
  t.equal(sumUp(await send('add', addBody('567', body.request_id))), 'ok success')
})

const invalidBodies: [string, Operation, unknown][] = [
  ['is no JSON', 'add', Buffer.from('{"request_id": secret-value')],
  ['is empty', 'add', Buffer.alloc(0)],
  ['is null', 'add', null],
  ['lacks the client', 'add', { ...addBody('567'), client: undefined }],
  ['has the phone as a string', 'add', { ...addBody('567'), client: { phone: 'secret-value' } }],
  ['has no UUID as request_id', 'add', addBody('567', 'secret-value')],
  ['has an unknown member', 'add', { ...addBody('567'), 'secret-value': 1 }],
  ['asks about no UUID', 'status', { request_id: 'secret-value' }],
  ['asks about nothing', 'status', {}],
]

for (const [what, operation, body] of invalidBodies) {
  t.test(`a body that ${what} gets 1001, without a word of it in the answer (${operation})`, async (t) => {
    const { send, sandbox } = await startSandbox(t)
    const answer = await send(operation, body)
    t.equal(sumUp(answer), 'error error 1001')
    t.notMatch(answer.text, 'secret-value')
    t.strictSame(sandbox.clients(), [])
  })
}

for (const scheme of ['jws', 'sign'] as const) {
  t.test(`only a ${scheme} signature of this body, by these credentials, is accepted`, async (t) => {
    const { send, sandbox } = await startSandbox(t)
    const body = Buffer.from(JSON.stringify(addBody('567')))
    const signWith = (change: object, path: string = paths.add, signed = body) =>
      createSigner(scheme, () => ({ ...sandboxCredentials, ...change }))(path, signed)
    const [[lastHeader, signature] = ['', '']] = Object.entries(signWith({})).reverse()

    const wrong: Record<string, SignatureHeaders> = {
      'none at all': {},
      'of another key': signWith({ secretKey: 'another' }),
      'by another partner': signWith({ authId: 'another' }),
      'of another body': signWith({}, paths.add, Buffer.from(`${body} `)),
      'cut short': { ...signWith({}), [lastHeader]: signature.slice(0, -1) },
    }
    if (scheme === 'jws') wrong['of another path'] = signWith({}, paths.status)
    else for (const name of Object.keys(signWith({}))) wrong[`without ${name}`] = { ...signWith({}), [name]: '' }

    for (const [what, headers] of Object.entries(wrong)) {
      t.equal((await send('add', body, { headers })).statusCode, 401, `a signature ${what}`)
    }
    t.strictSame(sandbox.clients(), [])
    t.equal(sumUp(await send('add', body, { headers: signWith({}) })), 'ok success')
  })
}

t.test('the list of clients holds ids and times, and nothing about a person', async (t) => {
  const { send, ask, list, sandbox } = await startSandbox(t)
  const body = addBody('567')
  const client = { ...body.client, first_name: 'Zuhra', email: 'zuhra@example.org', person_id: '31203995550017' }
  const startedAt = new Date().toISOString()
  await send('add', { ...body, client })
  const { body: status } = await ask(body.request_id)

  const clients = await list()
  const createdAt = clients[0]?.createdAt ?? ''
  t.strictSame(clients, [{ requestId: body.request_id, clientId: status.client_id, createdAt }])
  t.ok(startedAt <= createdAt && createdAt <= new Date().toISOString())
  t.strictSame(sandbox.clients(), clients)
})

t.test('a client that took time to come into being is listed with that moment', async (t) => {
  const { send, sandbox } = await startSandbox(t, { timings: fast })
  const startedAtMs = Date.now()
  await send('add', addBody('001'))
  const [client] = await until(sandbox.clients, (clients) => clients.length === 1)
  t.ok(Date.parse(client?.createdAt ?? '') >= startedAtMs + fast.processingMs)
})

t.test('the largest document is taken, and seen exactly as it was sent', async (t) => {
  const { send, received } = await startSandbox(t)
  const body = addBody('567')
  const document = Buffer.alloc(2 * 1024 * 1024, 'a').toString('base64')
  const bytes = Buffer.from(JSON.stringify({ ...body, client: { ...body.client, document } }))
  t.equal(sumUp(await send('add', bytes)), 'ok success')
  t.equal(received[0]?.path, paths.add)
  t.ok(received[0]?.body.equals(bytes))
  t.match(received[0]?.headers, { 'x-jws-signature': String })
})

t.test('a body far beyond that is refused without being kept', async (t) => {
  const { send, received } = await startSandbox(t)
  t.equal((await send('add', Buffer.alloc(7 * 1024 * 1024, 'a'))).statusCode, 413)
  t.strictSame(received, [])
})

t.test('everything else is not found', async (t) => {
  const { origin, dispatcher } = await startSandbox(t)
  const calls = [
    ['GET', paths.add],
    ['POST', '/sandbox/clients'],
    ['POST', `${paths.status}?request_id=1`],
    ['POST', '/v5/card-api/client/update'],
    ['GET', '/'],
  ] as const
  for (const [method, path] of calls) {
    const { statusCode, headers, body } = await request(origin + path, { dispatcher, method })
    t.equal(statusCode, 404, `${method} ${path}`)
    t.equal(headers['content-type'], 'application/json')
    t.match(await body.json(), { status: 'error' })
  }
})

t.test('the oldest request is forgotten when there are too many', async (t) => {
  const { send, ask, sandbox } = await startSandbox(t, { maxRequests: 2 })
  const bodies = [addBody('567'), addBody('567'), addBody('567')]
  for (const body of bodies) await send('add', body)
  const ids = bodies.map((body) => body.request_id)
  t.strictSame(
    sandbox.clients().map((client) => client.requestId),
    ids.slice(1),
  )
  t.equal(sumUp(await ask(ids[0] ?? '')), 'error error 1006')
})

t.test('close cuts every connection at once, also those that wait for an answer', async (t) => {
  const { send, open, sandbox, origin } = await startSandbox(t)
  const slow = await open('add', addBody('008'))
  const silent = send('add', addBody('004')).then(sumUp, () => 'no answer')
  const idle = connect({ port: Number(new URL(origin).port), host: '127.0.0.1' })
  idle.on('error', () => {})
  await once(idle, 'connect')
  await until(sandbox.clients, (clients) => clients.length === 2)

  const idleClosed = once(idle, 'close')
  await sandbox.close()
  t.equal(await silent, 'no answer')
  await t.rejects(slow.body.text())
  await idleClosed
})

t.test('a caller that hangs up within its body leaves no trace', async (t) => {
  const { send, sandbox, received, origin } = await startSandbox(t)
  const socket = connect({ port: Number(new URL(origin).port), host: '127.0.0.1' })
  socket.end(`POST ${paths.add} HTTP/1.1\r\nhost: sandbox\r\ncontent-length: 100\r\n\r\n{"request_id"`).resume()
  await once(socket, 'close')
  t.strictSame(received, [])
  t.equal(sumUp(await send('add', addBody('567'))), 'ok success')
  t.equal(sandbox.clients().length, 1)
})

t.test('listen fails when the port is taken', async (t) => {
  const { origin } = await startSandbox(t)
  const second = buildSandbox({ credentials: sandboxCredentials })
  await t.rejects(second.listen(Number(new URL(origin).port)), { code: 'EADDRINUSE' })
  await second.close()
})
