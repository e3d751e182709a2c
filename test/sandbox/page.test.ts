import { createServer } from 'node:net'
import t from 'tap'
import { request } from 'undici'
import { loadConfig } from '../../src/config/load.ts'
import { tellCall } from '../../src/sandbox/events.ts'
import { startService } from '../../src/service.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { call, phoneFor, startTestService } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

async function startWithSandbox(settings: Record<string, string> = {}) {
  const logs: Record<string, unknown>[] = []
  const log = createLogger('info', { write: (line: string) => void logs.push(JSON.parse(line)) })
  const service = await startService(loadConfig({ PORT: '0', OPS_PORT: '0', ...settings }), log, 'test')
  return { ...service, logs }
}

t.test(
  'the page tells live what FreedomPay was asked, what the caller was told, and what the ledger says',
  async (t) => {
    const { url, stop, logs } = await startWithSandbox()
    const page = await call(`${url}/sandbox`, 'GET', {})
    t.equal(page.statusCode, 200)
    t.match(page.headers['content-security-policy'], /^default-src 'none'; style-src 'sha256-/)
    for (const scenario of ['001</code> process, then success', '013</code> process, then error'])
      t.match(page.text, scenario)

    const stream = await request(`${url}/sandbox/events`, { reset: true })
    t.match(stream.headers, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-request-id': /^[0-9a-f-]{36}$/,
      'x-partner': 'sandbox',
    })
    const phone = phoneFor('567')
    const answer = await call(
      `${url}/clients`,
      'POST',
      { 'content-type': 'application/json' },
      JSON.stringify({ phone }),
    )
    const { requestId } = answer.body
    let heard = ''
    for await (const chunk of stream.body) {
      heard += chunk
      if (heard.includes('says created')) break
    }
    for (const what of ['is asked to create a client; plays: success', 'POST is told 201', 'is asked for the status']) {
      t.match(heard, what)
    }
    t.match(heard, requestId)
    t.notMatch(heard, phone.slice(1))
    // The reader has left. A stream has no end, so the reader did not hang up.
    const isOfStream = ({ route }: Record<string, unknown>) => route === '/sandbox/events'
    await until(
      () => logs.find(isOfStream),
      (line) => line !== undefined,
    )
    t.match(logs.find(isOfStream), { msg: 'request', statusCode: 200 })
    // An open stream does not hold the process.
    const open = await request(`${url}/sandbox/events`)
    const [ended] = await Promise.all([open.body.text(), stop()])
    t.match(ended, 'says created', 'who comes later hears what happened before')
  },
)

for (const DOCS of ['try', 'off']) {
  t.test(`with DOCS=${DOCS} every link of the page leads somewhere`, async (t) => {
    const { url, stop } = await startWithSandbox({ DOCS })
    t.teardown(stop)
    const { text } = await call(`${url}/sandbox`, 'GET', {})
    const links = [...text.matchAll(/<a href="([^"]+)"/g)].map(([, link = '']) => link)
    t.equal(links.length, 1)
    for (const link of links) {
      t.equal((await call(new URL(link, `${url}/sandbox`).href, 'GET', {})).statusCode, 200, link)
    }
  })
}

t.test('the sandbox takes another port where 4010 is not free, and says which', async (t) => {
  const occupant = createServer().listen(4010, '127.0.0.1')
  // An error means that another program has the port already.
  await new Promise((resolve) => occupant.once('listening', resolve).once('error', resolve))
  t.teardown(() => occupant.close())
  const { logs, stop } = await startWithSandbox()
  const { url } = logs.find(({ partner }) => partner === 'sandbox') ?? {}
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.not(url, 'http://127.0.0.1:4010')
  await stop()
})

t.test('there is no such page where the partner is not the built-in sandbox', async (t) => {
  const service = await startTestService(t)
  t.equal((await service.get('/sandbox')).statusCode, 404)
  t.equal((await service.get('/sandbox/events')).statusCode, 404)
})

t.test('a call that cannot be read is no event', (t) => {
  for (const body of ['', '{', 'null', '{"request_id":1}']) {
    t.equal(tellCall({ path: '/v5/card-api/client/add', body: Buffer.from(body) }), undefined)
  }
  t.end()
})
