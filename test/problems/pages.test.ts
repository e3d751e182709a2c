import t from 'tap'
import { problemCodes, problems } from '../../src/problems/catalogue.ts'
import { phoneFor, startTestService } from '../fixtures/service.ts'

t.test('/problems lists every code, as HTML for people and as JSON where Accept prefers it', async (t) => {
  const service = await startTestService(t)
  const html = await service.get('/problems', {
    accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
  })
  t.equal(html.statusCode, 200)
  t.match(html.headers, { 'content-type': 'text/html; charset=utf-8', vary: 'accept', 'cache-control': 'no-store' })
  const json = await service.get('/problems', { accept: 'application/json' })
  t.equal(json.statusCode, 200)
  t.match(json.headers, { 'content-type': /^application\/json/, vary: 'accept' })
  t.equal(problemCodes.length, 17)
  t.strictSame(
    json.body,
    { problems: problemCodes.map((code) => ({ type: `/problems/${code}`, code, ...problems[code] })) },
    'the JSON has the whole catalogue, and nothing else',
  )
  for (const code of problemCodes) t.match(html.text, `<a href="/problems/${code}">${code}</a>`)
})

t.test('each code has a page that says what happened, whether to retry, and how', async (t) => {
  const service = await startTestService(t)
  for (const code of problemCodes) {
    const { title, status, safeToRetry, happened, retry } = problems[code]
    const html = await service.get(`/problems/${code}`)
    t.equal(html.statusCode, 200)
    t.equal(html.headers.vary, 'accept')
    const text = html.text.replaceAll(/<\/?code>/g, '')
    for (const part of [
      `<h1>${title}</h1>`,
      `HTTP ${status}`,
      `safeToRetry: ${safeToRetry}`,
      happened,
      retry,
      'Quote requestId',
    ]) {
      t.ok(text.includes(part.replaceAll('`', '')), `the page of ${code} has: ${part}`)
    }
    const json = await service.get(`/problems/${code}`, { accept: 'application/json' })
    t.strictSame(json.body, { type: `/problems/${code}`, code, ...problems[code] })
  }
})

t.test('the most specific range of Accept counts, and HTML where it does not matter', async (t) => {
  const service = await startTestService(t)
  const expectations: [accept: string | undefined, mediaType: 'text/html' | 'application/json'][] = [
    [undefined, 'text/html'],
    ['*/*', 'text/html'],
    ['image/png', 'text/html'],
    ['text/*, application/json', 'text/html'],
    ['application/json;q=0.5, text/html;q=0.9', 'text/html'],
    ['application/json;q=0', 'text/html'],
    ['application/json', 'application/json'],
    ['Application/JSON; charset=utf-8', 'application/json'],
    ['application/*', 'application/json'],
    ['application/json, text/plain, */*;q=0.9', 'application/json'],
    ['text/html;q=0.1, */*', 'application/json'],
    ['text/html ; q=0.2 , application/json ; q=0.3', 'application/json'],
    ['application/json, text/html;q=nonsense', 'text/html'],
  ]
  for (const [accept, mediaType] of expectations) {
    const { headers } = await service.get('/problems/internal', accept === undefined ? {} : { accept })
    t.equal(String(headers['content-type']).split(';')[0], mediaType, `Accept: ${accept}`)
  }
})

t.test('a code that does not exist is a problem itself', async (t) => {
  const service = await startTestService(t)
  for (const code of [
    'nonsense',
    '__proto__',
    'constructor',
    'toString',
    '%00',
    'Internal',
    'internal/x',
    'a'.repeat(250),
  ]) {
    const { statusCode, headers, body } = await service.get(`/problems/${code}`)
    t.equal(statusCode, 404, code)
    t.match(headers['content-type'], /^application\/problem\+json/)
    t.match(body, { type: '/problems/not-found', code: 'not-found' })
  }
})

t.test('the page forbids itself to load or run anything', async (t) => {
  const service = await startTestService(t)
  const { headers, text } = await service.get('/problems')
  t.match(headers['content-security-policy'], /^default-src 'none'; style-src 'sha256-[\w+/]+=*'/)
  t.notMatch(text, /<script|https?:/)
})

t.test('the type of a real problem leads to its page', async (t) => {
  const service = await startTestService(t)
  const answers = await Promise.all([
    service.create({}),
    service.create({ phone: phoneFor('002') }),
    service.create({ phone: phoneFor('011') }),
    service.create({ phone: phoneFor('567') }, { 'content-encoding': 'gzip' }),
    service.get('/nowhere'),
    service.get('/clients'),
  ])
  const codes = ['invalid-request', 'partner-rejected', 'partner-misconfigured', 'unsupported-media-type', 'not-found']
  t.strictSame(
    answers.map(({ body }) => body.code),
    [...codes, 'method-not-allowed'],
  )
  for (const { body } of answers) {
    const page = await service.get(body.type)
    t.equal(page.statusCode, 200, body.type)
    t.match(page.text, `<h1>${body.title}</h1>`)
  }
})
