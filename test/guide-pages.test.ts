import { readFileSync } from 'node:fs'
import t from 'tap'
import { guides, renderGuide, renderMarkdown, renderSequence } from '../openapi/guides.ts'
import { startTestService } from './fixtures/service.ts'

t.test('the guides under /docs are made from the guides of the repository; after a change: npm run generate', (t) => {
  for (const guide of guides) t.equal(readFileSync(guide.file, 'utf8'), renderGuide(guide), guide.source)
  t.end()
})

t.test('/docs leads to the guide, the problems and the changelog, and each page is there', async (t) => {
  for (const basePath of ['', '/payments']) {
    const service = await startTestService(t, { settings: { BASE_PATH: basePath } })
    const document = await service.get(`${basePath}/docs/json`)
    for (const [path, words] of [
      ['docs/guide', /<h1>How to call it<\/h1>.*safeToRetry/s],
      ['docs/changelog', /<h1>Changelog<\/h1>.*\[Unreleased\]/s],
      ['problems', /<h1>Problems<\/h1>/],
    ] as const) {
      t.match(document.body.info.description, `](${basePath}/${path})`)
      const page = await service.get(`${basePath}/${path}`, { accept: 'text/html' })
      t.match(page, { statusCode: 200, text: words })
      t.match(page.headers, {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': /^default-src 'none'; style-src 'sha256-/,
        'x-content-type-options': 'nosniff',
      })
      t.equal(page.text.split('name="viewport"').length, 2, 'one viewport')
      t.notMatch(page.text, /<script|style=/)
    }
  }
})

t.test(
  'every link of a guide leads to a page of the service, to a place in the guide, or to another site',
  async (t) => {
    const service = await startTestService(t)
    for (const name of ['guide', 'changelog']) {
      const { text } = await service.get(`/docs/${name}`)
      const targets = [...text.matchAll(/href="([^"]+)"/g)].map(([, target = '']) => target)
      t.ok(targets.length > 4, 'the links are found')
      for (const target of targets.filter((target) => !/^(https|data):/.test(target))) {
        if (target.startsWith('#')) t.match(text, ` id="${target.slice(1)}"`)
        else
          t.equal(
            (await service.get(new URL(target, `${service.url}/docs/${name}`).pathname)).statusCode < 400,
            true,
            target,
          )
      }
    }
  },
)

t.test('without /docs there is no guide', async (t) => {
  const service = await startTestService(t, { settings: { DOCS: 'off' } })
  for (const name of ['guide', 'changelog']) t.equal((await service.get(`/docs/${name}`)).statusCode, 404)
})

t.test('a guide shows the programs that its text links to, and names the other files of the repository', (t) => {
  const text = 'See [a program](../examples/a.sh), [a file](../client/b.ts) and [a site](https://example.org/).'
  const html = renderMarkdown(text, 'docs', (path) => `echo "<${path}>" && true\n`)
  t.match(html, '<a href="#examples-a-sh">a program</a>')
  t.match(html, '<h3 id="examples-a-sh"><code>examples/a.sh</code></h3>')
  t.match(html, '<code>echo "&lt;examples/a.sh&gt;" &amp;&amp; true</code>')
  t.match(html, 'a file (in the repository: <code>client/b.ts</code>)')
  t.match(html, '<a href="https://example.org/">a site</a>')
  t.end()
})

t.test('a sequence becomes a list; a line of an unknown kind is an error', (t) => {
  const diagram =
    'sequenceDiagram\n  participant a as your program\n  a->>b: POST <x>\n  b->>b: claim\n  b-->>a: 201\n  Note over a,b: the end'
  t.equal(
    renderSequence(diagram).replaceAll('\n', ''),
    '<ol><li><strong>your program → b</strong>: POST &lt;x&gt;</li><li><strong>b</strong>: claim</li><li><strong>b → your program</strong>: 201</li><li><em>the end</em></li></ol>',
  )
  t.throws(() => renderSequence('sequenceDiagram\n  loop forever'), { message: /of no known kind: {3}loop forever/ })
  t.end()
})
