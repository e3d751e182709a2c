/**
 * @fastify/http-proxy: forwards one signed call and hands the partner's answer back. It cannot do the job: the body goes out as
 * the caller wrote it (nothing validated, mapped or injected), and nobody asks for the client_id.
 */
import { createHmac } from 'node:crypto'
import { Readable } from 'node:stream'
import proxy from '@fastify/http-proxy'
import Fastify from 'fastify'

const { PORT, FREEDOMPAY_BASE_URL, FREEDOMPAY_AUTH_ID, FREEDOMPAY_SECRET_KEY } = process.env
const path = '/v5/card-api/client/add'
const header = { uri: path, auth_id: FREEDOMPAY_AUTH_ID, method: 'POST', params: '', alg: 'HS512' }
const protectedHeader = Buffer.from(JSON.stringify(header)).toString('base64url')

const app = Fastify({ logger: true, bodyLimit: 3 * 1024 ** 2 })
app.decorateRequest('signature', '')

// The signature goes into a header, so the whole body is read before anything of it is sent on.
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
  const signature = createHmac('sha512', FREEDOMPAY_SECRET_KEY)
    .update(`${protectedHeader}.${body.toString('base64url')}`)
    .digest('base64url')
  request.signature = `${protectedHeader}..${signature}`
  done(null, Readable.from([body]))
})

app.register(proxy, {
  upstream: FREEDOMPAY_BASE_URL,
  prefix: '/clients',
  rewritePrefix: path,
  httpMethods: ['POST'],
  proxyPayloads: false,
  replyOptions: {
    rewriteRequestHeaders: (request, headers) => ({ ...headers, 'x-jws-signature': request.signature }),
  },
})

await app.listen({ port: Number(PORT), host: '127.0.0.1' })
