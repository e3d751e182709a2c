import t from 'tap'
import { phoneFor, startTestService } from '../fixtures/service.ts'

interface Expectation {
  scenario: string
  name: string
  statusCode: number
  status?: string
  code?: string
  /** Clients that exist at the partner afterwards. */
  clients: number
  settings?: Record<string, string>
}

const expectations: Expectation[] = [
  { scenario: '567', name: 'success at once', statusCode: 201, status: 'created', clients: 1 },
  { scenario: '001', name: 'process, then success', statusCode: 201, status: 'created', clients: 1 },
  { scenario: '002', name: 'rejected', statusCode: 422, code: 'partner-rejected', clients: 0 },
  { scenario: '003', name: 'created, then the connection is cut', statusCode: 201, status: 'created', clients: 1 },
  { scenario: '004', name: 'created, never answers', statusCode: 201, status: 'created', clients: 1 },
  { scenario: '005', name: 'never answers, not created', statusCode: 202, status: 'unknown', clients: 0 },
  { scenario: '006', name: 'HTTP 500, not created', statusCode: 202, status: 'unknown', clients: 0 },
  { scenario: '007', name: 'created, answers HTML', statusCode: 201, status: 'created', clients: 1 },
  { scenario: '008', name: 'created, answers byte by byte', statusCode: 201, status: 'created', clients: 1 },
  { scenario: '009', name: 'HTTP 429, then works', statusCode: 201, status: 'created', clients: 1 },
  { scenario: '010', name: 'process for ever', statusCode: 202, status: 'processing', clients: 0 },
  { scenario: '011', name: 'HTTP 401', statusCode: 502, code: 'partner-misconfigured', clients: 0 },
  { scenario: '012', name: 'an unknown word', statusCode: 202, status: 'unknown', clients: 1 },
  { scenario: '013', name: 'process, then error', statusCode: 422, code: 'partner-rejected', clients: 0 },
  { scenario: '014', name: 'HTTP 502, registered later', statusCode: 201, status: 'created', clients: 1 },
  { scenario: '015', name: 'process, one error, then success', statusCode: 201, status: 'created', clients: 1 },
  { scenario: '016', name: 'created, hidden by a gateway', statusCode: 201, status: 'created', clients: 1 },
  { scenario: '017', name: 'created, unreadable id', statusCode: 201, status: 'created', clients: 1 },
]

// They mostly wait, so they may do it together.
t.jobs = expectations.length

for (const { scenario, name, statusCode, status, code, clients } of expectations) {
  t.test(
    `scenario ${scenario} (${name}) is answered with ${statusCode} ${status ?? code}`,
    { buffered: true },
    async (t) => {
      const service = await startTestService(t)
      const answer = await service.create({ phone: phoneFor(scenario) })
      t.equal(answer.statusCode, statusCode)
      t.match(answer.body, status === undefined ? { code } : { status })
      t.equal(service.sandbox.clients().length, clients)
      const adds = service.received.filter(({ path }) => path.endsWith('/add'))
      t.equal(new Set(adds.map(({ body }) => body.request_id)).size, 1, 'every send is of the same request_id')
      if (status === 'created') {
        const [client] = service.sandbox.clients()
        t.equal(client?.requestId, answer.body.requestId)
        t.equal(answer.body.clientId, scenario === '017' ? undefined : client?.clientId)
      }
      if (statusCode === 202) t.match(answer.headers, { 'retry-after': /^\d+$/ })
      if (statusCode < 300) t.equal(answer.headers.location, `/clients/requests/${answer.body.requestId}`)
    },
  )
}
