/**
 * What a competent engineer writes first: Express 5, axios on a keep-alive agent, ajv, pino-http, prom-client.
 * Plain JavaScript, because the root's type check must not need what only the bench installs.
 */
import { createHmac, randomUUID } from 'node:crypto'
import { Agent } from 'node:http'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import axios from 'axios'
import express from 'express'
import { pino } from 'pino'
import { pinoHttp } from 'pino-http'
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import { createClientSchema } from './create-client-schema.mjs'
import { toPartnerRequest } from './to-partner-request.ts'

const { PORT, FREEDOMPAY_BASE_URL, FREEDOMPAY_AUTH_ID, FREEDOMPAY_SECRET_KEY, FREEDOMPAY_PRODUCT_ID } = process.env

const ajv = new Ajv({ allErrors: false })
addFormats.default(ajv)
const validate = ajv.compile(createClientSchema)

const registry = new Registry()
collectDefaultMetrics({ register: registry })
const duration = new Histogram({
  name: 'http_request_duration_seconds',
  help: 'Duration of HTTP requests',
  labelNames: ['method', 'route', 'status_code'],
  registers: [registry],
})

const partner = axios.create({
  baseURL: FREEDOMPAY_BASE_URL,
  timeout: 15_000,
  httpAgent: new Agent({ keepAlive: true }),
  maxRedirects: 0,
  maxBodyLength: 4 * 1024 ** 2,
})

async function callPartner(path, message) {
  const body = Buffer.from(JSON.stringify(message))
  const header = { uri: path, auth_id: FREEDOMPAY_AUTH_ID, method: 'POST', params: '', alg: 'HS512' }
  const protectedHeader = Buffer.from(JSON.stringify(header)).toString('base64url')
  const signature = createHmac('sha512', FREEDOMPAY_SECRET_KEY)
    .update(`${protectedHeader}.${body.toString('base64url')}`)
    .digest('base64url')
  const { data } = await partner.post(path, body, {
    headers: { 'Content-Type': 'application/json', 'X-JWS-Signature': `${protectedHeader}..${signature}` },
  })
  return data
}

const app = express()
app.disable('x-powered-by')
app.disable('etag')
app.use(pinoHttp({ logger: pino({ level: 'info' }), genReqId: () => randomUUID() }))
app.use((request, response, next) => {
  const stop = duration.startTimer({ method: request.method })
  response.on('finish', () => stop({ route: request.route?.path ?? 'unmatched', status_code: response.statusCode }))
  next()
})
app.use(express.json({ limit: '3mb' }))

app.post('/clients', async (request, response) => {
  const body = request.body
  if (!validate(body)) {
    const errors = validate.errors.map(({ instancePath, message }) => ({ pointer: instancePath, message }))
    response.status(400).json({ code: 'invalid-request', errors })
    return
  }
  const requestId = randomUUID()
  const added = await callPartner(
    '/v5/card-api/client/add',
    toPartnerRequest(body, requestId, Number(FREEDOMPAY_PRODUCT_ID)),
  )
  if (added.status !== 'ok') {
    response.status(422).json({ code: 'partner-rejected', requestId })
    return
  }
  const answer = await callPartner('/v5/card-api/request/status', { request_id: requestId })
  const created = answer.status === 'ok' && answer.request_status === 'success'
  response.status(created ? 201 : 202).json({
    requestId,
    status: created ? 'created' : 'processing',
    clientId: answer.client_id,
    updatedAt: new Date().toISOString(),
  })
})

app.get('/metrics', async (_request, response) => {
  response.type(registry.contentType).send(await registry.metrics())
})

app.use((error, request, response, _next) => {
  request.log.error({ err: error }, 'request failed')
  response.status(error.status ?? 502).json({ code: error.status ? 'invalid-request' : 'partner-unavailable' })
})

app.listen(Number(PORT), '127.0.0.1')
