import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import t, { type Test } from 'tap'
import { fetchJwks } from '../../src/auth/fetch-jwks.ts'
import { createSelfSigned } from '../fixtures/self-signed.ts'

const keySet = { keys: [{ kty: 'OKP', kid: 'a' }] }
const none = () => undefined

async function listen(t: Test, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  return (server.address() as AddressInfo).port
}

async function serve(t: Test, answer: RequestListener) {
  const server = createServer(answer)
  t.teardown(() => server.closeAllConnections())
  const port = await listen(t, server)
  return { url: `http://127.0.0.1:${port}/keys`, readToken: none, readCa: none }
}

t.test('the keys come as JSON, without a credential where there is none', async (t) => {
  const source = await serve(t, ({ method, url, headers }, reply) => {
    t.equal(`${method} ${url}`, 'GET /keys')
    t.equal(headers.accept, 'application/json')
    t.notOk('authorization' in headers)
    reply.end(JSON.stringify(keySet))
  })
  t.strictSame(await fetchJwks(source), keySet)
})

t.test('the token is read anew for each request', async (t) => {
  const seen: unknown[] = []
  const source = await serve(t, ({ headers }, reply) => {
    seen.push(headers.authorization)
    reply.end(JSON.stringify(keySet))
  })
  const tokens = ['first', 'second']
  const readToken = () => tokens.shift()
  await fetchJwks({ ...source, readToken })
  await fetchJwks({ ...source, readToken })
  t.strictSame(seen, ['Bearer first', 'Bearer second'])
})

t.test('an answer that is not 200 is none, and a redirect is not followed', async (t) => {
  for (const statusCode of [201, 302, 401, 500]) {
    let requests = 0
    const source = await serve(t, (_request, reply) => {
      requests++
      reply.writeHead(statusCode, { location: '/keys' }).end(JSON.stringify(keySet))
    })
    await t.rejects(fetchJwks(source), { message: 'the answer is not 200', statusCode })
    t.equal(requests, 1)
  }
})

t.test('an answer that is no JSON is none', async (t) => {
  const source = await serve(t, (_request, reply) => reply.end('<html>'))
  await t.rejects(fetchJwks(source), SyntaxError)
})

t.test('an answer may have 1 MiB and no more', async (t) => {
  const answerOf = (bytes: number): RequestListener => {
    const text = JSON.stringify(keySet)
    return (_request, reply) => reply.end(text + ' '.repeat(bytes - text.length))
  }
  t.strictSame(await fetchJwks(await serve(t, answerOf(1024 * 1024))), keySet)
  await t.rejects(fetchJwks(await serve(t, answerOf(1024 * 1024 + 1))), { code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' })
})

t.test('a certificate of its own is trusted where its CA is given, and not otherwise', async (t) => {
  const tls = createSelfSigned()
  const server = createTlsServer(tls, (_request, reply) => reply.end(JSON.stringify(keySet)))
  const url = `https://localhost:${await listen(t, server)}/keys`
  t.strictSame(await fetchJwks({ url, readToken: none, readCa: () => tls.cert }), keySet)
  await t.rejects(fetchJwks({ url, readToken: none, readCa: none }), { code: /SELF_SIGNED/ })
})

t.test('an issuer that does not answer is given up', async (t) => {
  await t.rejects(fetchJwks(await serve(t, () => {})), { name: 'TimeoutError' })
})

t.test('no connection stays behind', async (t) => {
  const server = createServer((_request, reply) => reply.end(JSON.stringify(keySet)))
  // Longer than the test may take.
  server.keepAliveTimeout = 600_000
  const closed = new Promise((resolve) => server.on('connection', (socket) => socket.on('close', resolve)))
  const url = `http://127.0.0.1:${await listen(t, server)}/keys`
  await fetchJwks({ url, readToken: none, readCa: none })
  await closed
})
