import t from 'tap'
import { encodeRequest, encodeStatusRequest } from '../../src/partner/encode.ts'
import type { AddClientRequest } from '../../src/partner/schema.ts'

const large = Buffer.alloc(200_000, 'pdf').toString('base64')

function buildRequest(client: Partial<AddClientRequest['client']>): AddClientRequest {
  return { request_id: 'a', product_id: 1000, branch_id: undefined, client: { phone: 998901234567, ...client } }
}

const requests: Record<string, AddClientRequest> = {
  'no document': buildRequest({ first_name: 'Gʻafur' }),
  'a small document': buildRequest({ document: 'JVBERi0=' }),
  'a large document': buildRequest({ document: large }),
  'a large document between other members': buildRequest({
    first_name: 'Gʻafur',
    document: large,
    email: 'ў@example.com',
  }),
  'a text that looks like the place of the document': buildRequest({
    person_id: '"document":""',
    first_name: '\\"document":""',
    document: large,
    external_user_id: '"document":""',
  }),
}

for (const [name, request] of Object.entries(requests)) {
  t.test(`a request with ${name} has the very bytes that JSON.stringify gives`, async (t) => {
    const { requestId, body } = encodeRequest(request)
    t.equal(requestId, 'a')
    t.ok(body.equals(Buffer.from(JSON.stringify(request))))
  })
}

t.test('a question has the documented body', async (t) => {
  const requestId = '828cf71d-a447-4a67-a149-c1df8bc197ca'
  t.equal(encodeStatusRequest(requestId).toString(), `{"request_id":"${requestId}"}`)
})
