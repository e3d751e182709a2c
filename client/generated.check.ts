/** A program over generated code: it compiles only while the document tells each answer's members. Not run, but by its test. */
import createFetchClient from 'openapi-fetch'
import type { paths } from './openapi.ts'

const client = createFetchClient<paths>({ baseUrl: 'http://127.0.0.1:3000' })

export async function tell(requestId: string): Promise<string> {
  const { data, error } = await client.GET('/clients/requests/{requestId}', { params: { path: { requestId } } })
  if (error !== undefined) return error.code
  switch (data.status) {
    case 'created':
      return data.clientId ?? 'created'
    case 'processing':
    case 'unknown':
      return data.updatedAt
    case 'rejected':
      return data.partner.description ?? 'rejected'
    case 'not-created':
      return data.requestId
    default:
      return data satisfies never
  }
}

export async function create(): Promise<string> {
  const { data, error, response } = await client.POST('/clients', {
    params: { header: { 'Idempotency-Key': 'order-17' } },
    body: { phone: '+998901234567', country: 'UZB', registrationAddress: { country: 'UZB', city: 'Tashkent' } },
  })
  if (error === undefined) return response.status === 201 ? data.requestId : data.status
  switch (error.code) {
    case 'invalid-request':
      return error.errors.map(({ pointer }) => pointer).join()
    case 'partner-rejected':
      return error.partner.code ?? error.requestId
    case 'partner-unavailable':
    case 'partner-misconfigured':
    case 'request-in-progress':
    case 'idempotency-key-reused':
      return error.requestId
    case 'invalid-idempotency-key':
    case 'unsupported-media-type':
    case 'body-too-large':
    case 'unauthenticated':
    case 'forbidden':
    case 'rate-limited':
    case 'not-found':
    case 'method-not-allowed':
    case 'internal':
    case 'overloaded':
    case 'ledger-unavailable':
      return error.safeToRetry
    default:
      return error satisfies never
  }
}
