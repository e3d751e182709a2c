/** /docs/guide and /docs/changelog: for readers of /docs, who may not have the repository. */
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { contentSecurityPolicy, renderHtml } from '../../problems/page-layout.ts'

/** `npm run generate` makes the texts from docs/how-to-call-it.md and CHANGELOG.md. */
const guides = { guide: 'How to call it', changelog: 'Changelog' }

const links =
  '<p><a href="../docs">Documentation</a> · <a href="guide">How to call it</a> · <a href="../problems">Problems</a> · <a href="changelog">Changelog</a></p>'

export default fp(
  async function guidePages(app: FastifyInstance) {
    for (const [name, title] of Object.entries(guides)) {
      const text = readFileSync(new URL(`${name}.html`, import.meta.url), 'utf8')
      const page = renderHtml(title, `${links}${text}`)
      /** Public: the page holds no caller's data. */
      app.get(`/docs/${name}`, {
        config: { access: 'public' },
        schema: { hide: true },
        handler: (_request, reply) =>
          reply.header('content-security-policy', contentSecurityPolicy).type('text/html; charset=utf-8').send(page),
      })
    }
  },
  { name: 'guide-pages', dependencies: ['authentication'] },
)
