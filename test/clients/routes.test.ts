import t, { type Test } from 'tap'
import { type AppParts, buildApp } from '../../src/app.ts'
import type { CreateAnswer } from '../../src/clients/answer.ts'
import type { ClientRequest } from '../../src/clients/body/schema.ts'
import { appParts } from '../fixtures/app-parts.ts'
import { rawRequest, readProblem, sendRawOnce } from '../fixtures/raw-http.ts'

const requestId = '828cf71d-a447-4a67-a149-c1df8bc197ca'
const updatedAt = '2026-01-31T04:30:00.000Z'
const json = 'Content-Type: application/json'
const body = '{"phone":"+998901234567"}'
const limitBytes = 3 * 1024 * 1024

/** An app whose creates all succeed, without FreedomPay. */
async function start(t: Test, own: Partial<AppParts> = {}) {
  const made: string[] = []
  const answer: CreateAnswer = {
    idempotencyStatus: undefined,
    representation: { requestId, status: 'created', updatedAt },
  }
  const createClient: AppParts['createClient'] = async ({ body: { phone } }) => {
    made.push(phone)
    return answer
  }
  const app = await buildApp({ ...appParts(), createClient, ...own })
  t.teardown(() => app.close())
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const post = (text: string, headers: string[] = []) =>
    sendRawOnce(t, url, rawRequest('POST /clients', [json, ...headers], text))
  return { url, made, post }
}

const known: Record<ClientRequest['status'], { request: ClientRequest; retryAfter: RegExp | undefined }> = {
  processing: { request: { requestId, status: 'processing', updatedAt }, retryAfter: /^[5-8]$/ },
  unknown: { request: { requestId, status: 'unknown', updatedAt }, retryAfter: /^[5-8]$/ },
  created: { request: { requestId, status: 'created', clientId: 'c-1', updatedAt }, retryAfter: undefined },
  rejected: { request: { requestId, status: 'rejected', partner: { code: '7' }, updatedAt }, retryAfter: undefined },
  'not-created': { request: { requestId, status: 'not-created', updatedAt }, retryAfter: undefined },
}

for (const [status, { request, retryAfter }] of Object.entries(known)) {
  t.test(
    `a request that is ${status} says ${retryAfter ? 'when to look again' : 'no pause: it is final'}`,
    async (t) => {
      const { url } = await start(t, { readRequest: async () => request })
      const { statusCode, headers, text } = await sendRawOnce(t, url, rawRequest(`GET /clients/requests/${requestId}`))
      t.equal(statusCode, 200)
      t.strictSame(JSON.parse(text), request)
      if (retryAfter === undefined) t.notOk('retry-after' in headers)
      else t.match(headers['retry-after'], retryAfter)
    },
  )
}

t.test('a body of exactly 3 MiB that announces its length is read, and one byte more is not', async (t) => {
  const { made, post } = await start(t)
  t.equal((await post(body.padEnd(limitBytes))).statusCode, 201)
  t.equal(made.length, 1)
  readProblem(t, await post(body.padEnd(limitBytes + 1)), 413, 'body-too-large')
  t.equal(made.length, 1)
})

t.test('where a key is required an empty one is none', async (t) => {
  const { made, post } = await start(t, { needsIdempotencyKey: true })
  const missing = readProblem(t, await post(body), 400, 'invalid-request')
  t.match(missing.errors, [{ pointer: 'idempotency-key', message: /^is required/ }])
  for (const line of ['Idempotency-Key:', 'Idempotency-Key: ', 'Idempotency-Key: ""']) {
    readProblem(t, await post(body, [line]), 400, 'invalid-idempotency-key')
  }
  t.equal(made.length, 0)
  t.equal((await post(body, ['Idempotency-Key: order-1'])).statusCode, 201)
})
