import { connect } from 'node:net'
import t from 'tap'
import { parseAnswers, type RawAnswer, rawRequest } from '../fixtures/raw-http.ts'
import { phoneFor, startTestService } from '../fixtures/service.ts'

const json = 'Content-Type: application/json'

/** A create that leaves its connection open. */
function create(scenario: string, path = '/clients'): string {
  const request = rawRequest(`POST ${path}`, [json], JSON.stringify({ phone: phoneFor(scenario) }))
  return request.toString().replace('Connection: close\r\n', '')
}

const chunked = `POST /clients HTTP/1.1\r\nHost: x\r\n${json}\r\nTransfer-Encoding: chunked\r\n\r\n`
const unsupported =
  'POST /clients HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n'

/** What is sent behind a create that takes 300 ms, and which answers come. */
const rows: [name: string, behind: string, statuses: number[]][] = [
  ['rubbish', 'rubbish\r\n\r\n', [201]],
  ['a create with a chunk that is none', `${chunked}zz\r\n`, [201, 400]],
  ['another create and rubbish', `${create('567')}rubbish\r\n\r\n`, [201, 201]],
  ['a request that is refused before its body, which is none', `${unsupported}zz\r\n`, [201, 415]],
  ['a request that the router refuses, and rubbish', 'GET /% HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n', [201, 400]],
  ['a header without a name', 'GET /problems HTTP/1.1\r\nHost: x\r\n: odd\r\n\r\n', [201]],
]

/** Unlike `sendRaw`, in pieces: the second only once the first has certainly been read. */
function send(url: string, pieces: string[]): Promise<RawAnswer[]> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(Number(port), hostname)
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', (error) => chunks.push(Buffer.from(String(error))))
    socket.on('close', () => resolve(parseAnswers(Buffer.concat(chunks))))
    pieces.forEach((piece, i) => {
      setTimeout(() => socket.write(piece), 50 * i)
    })
  })
}

for (const [name, behind, statuses] of rows) {
  t.test(`${name} behind a create takes no answer away and overtakes none`, async (t) => {
    const service = await startTestService(t)
    for (const pieces of [[create('001') + behind], [create('001'), behind]]) {
      const all = await Promise.all(Array.from({ length: 5 }, () => send(service.url, pieces)))
      for (const answers of all) {
        t.strictSame(
          answers.map(({ statusCode }) => statusCode),
          statuses,
        )
      }
    }
  })
}

t.test('a body that is no JSON does not take the answer of the create behind it away', async (t) => {
  const service = await startTestService(t)
  const faulty = rawRequest('POST /clients', [json], '{').toString().replace('Connection: close\r\n', '')
  const last = rawRequest('POST /clients', [json], JSON.stringify({ phone: phoneFor('567') })).toString()
  const answers = await send(service.url, [faulty + last])
  t.strictSame(
    answers.map(({ statusCode }) => statusCode),
    [400, 201],
  )
})

t.test('nothing is begun behind an answer that ends the connection', async (t) => {
  const service = await startTestService(t)
  const expecting = create('567', '/nowhere').replace('\r\n\r\n', '\r\nExpect: 100-continue\r\n\r\n')
  const answers = await send(service.url, [expecting + create('567')])
  t.strictSame(
    answers.map(({ statusCode }) => statusCode),
    [404],
  )
  t.strictSame(service.received, [])
})
