/**
 * What the work itself costs: read, map, sign, add, status, answer, as directly as node:http and undici allow.
 * No validation, no logs, no metrics, no ledger, no time-outs: nobody should run this.
 */
import { createHmac, createSecretKey, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Dispatcher, Pool } from 'undici'
import type { CallerBody } from '../bodies.ts'
import { toPartnerRequest } from './to-partner-request.ts'

const { PORT, FREEDOMPAY_BASE_URL, FREEDOMPAY_AUTH_ID, FREEDOMPAY_SECRET_KEY, FREEDOMPAY_PRODUCT_ID } =
  process.env as Record<string, string>
const addPath = '/v5/card-api/client/add'
const statusPath = '/v5/card-api/request/status'
const productId = Number(FREEDOMPAY_PRODUCT_ID)
const key = createSecretKey(Buffer.from(FREEDOMPAY_SECRET_KEY ?? ''))
const pool = new Pool(FREEDOMPAY_BASE_URL ?? '')
const protectedHeaders = { [addPath]: encodeProtectedHeader(addPath), [statusPath]: encodeProtectedHeader(statusPath) }

interface Answer {
  readonly status: string
  readonly request_status: string
  readonly client_id?: string
}

function encodeProtectedHeader(uri: string): string {
  const header = { uri, auth_id: FREEDOMPAY_AUTH_ID, method: 'POST', params: '', alg: 'HS512' }
  return Buffer.from(JSON.stringify(header)).toString('base64url')
}

// Divisible by 3, so that the pieces' encodings join; small enough to stay in the processor's cache.
const pieceBytes = 48 * 1024

function sign(path: typeof addPath | typeof statusPath, body: Buffer): string {
  const protectedHeader = protectedHeaders[path]
  const hmac = createHmac('sha512', key).update(`${protectedHeader}.`)
  for (let start = 0; start < body.length; start += pieceBytes) {
    hmac.update(body.toString('base64url', start, Math.min(start + pieceBytes, body.length)), 'latin1')
  }
  return `${protectedHeader}..${hmac.digest('base64url')}`
}

function call(path: typeof addPath | typeof statusPath, message: unknown): Promise<Answer> {
  const body = Buffer.from(JSON.stringify(message))
  const headers = { 'content-type': 'application/json', 'x-jws-signature': sign(path, body) }
  return new Promise((resolve, reject) => {
    let text = ''
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart() {},
      onResponseStart() {},
      onResponseData(_controller, chunk) {
        text += chunk.toString()
      },
      onResponseEnd() {
        resolve(JSON.parse(text))
      },
      onResponseError(_controller, error) {
        reject(error)
      },
    }
    pool.dispatch({ method: 'POST', path, headers, body }, handler)
  })
}

async function createClient(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body: CallerBody = JSON.parse(await readBody(request))
  const requestId = randomUUID()
  const added = await call(addPath, toPartnerRequest(body, requestId, productId))
  const answer = added.request_status === 'success' ? await call(statusPath, { request_id: requestId }) : added
  const created = answer.status === 'ok' && answer.request_status === 'success'
  const text = JSON.stringify({
    requestId,
    status: created ? 'created' : 'unknown',
    clientId: answer.client_id,
    updatedAt: new Date().toISOString(),
  })
  response.writeHead(created ? 201 : 202, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}

function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => resolve((chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString()))
    request.on('error', reject)
  })
}

createServer((request, response) => {
  if (request.method !== 'POST') {
    response.writeHead(404).end()
    return
  }
  createClient(request, response).catch(() => response.writeHead(500).end())
}).listen(Number(PORT), '127.0.0.1')
