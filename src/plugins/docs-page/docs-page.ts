/** /docs: Swagger UI shows the OpenAPI document and can send requests. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { declarePublic } from '../authentication.ts'

/** try: with "Try it out". read: without "Try it out". off: no page. */
export type DocsMode = 'try' | 'read' | 'off'

export interface DocsPageOptions {
  readonly mode: 'try' | 'read'
  readonly isSandbox: boolean
}

/**
 * The page loads only from this service. The plugin's own policy allows other hosts. It also upgrades requests to HTTPS, which
 * leaves a blank page if the service is reached over HTTP by another name than localhost.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const readPart = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8')

export default fp(
  async function docsPage(app: FastifyInstance, { mode, isSandbox }: DocsPageOptions) {
    // Swagger UI cannot declare the access of its routes.
    declarePublic(app)

    /** For people who type only the host into their browser. */
    app.get('/', { schema: { hide: true }, handler: (_request, reply) => reply.redirect(`${app.prefix}/docs`, 302) })

    app.addHook('onSend', (_request, reply, payload, done) => {
      // The plugin that serves the files of Swagger UI lets every cache keep them.
      reply.header('cache-control', 'no-store')
      const isPage = typeof payload === 'string' && String(reply.getHeader('content-type')).startsWith('text/html')
      done(null, isPage ? addViewport(payload) : payload)
    })

    await app.register(swaggerUi, {
      routePrefix: '/docs',
      theme: {
        title: 'freedompay-clients',
        css: [{ filename: 'docs.css', content: readPart('docs.css') }],
        js: [{ filename: 'docs.js', content: readPart('docs.js') }],
      },
      uiConfig: {
        // Without the top bar, which could load any other document.
        layout: 'BaseLayout',
        tryItOutEnabled: mode === 'try',
        ...(mode === 'read' && { supportedSubmitMethods: [] }),
        docExpansion: 'list',
        // Deep links stand inside buttons, where keyboards and screen readers cannot tell link and button apart.
        deepLinking: false,
        defaultModelsExpandDepth: 0,
        displayRequestDuration: true,
        persistAuthorization: false,
        validatorUrl: null,
      },
      staticCSP: contentSecurityPolicy,
      transformSpecification: (document) => toPageDocument(document, { mode, isSandbox }, app.prefix),
    })
  },
  // Encapsulated: no other route pays for the hook, or becomes public.
  { name: 'docs-page', encapsulate: true, dependencies: ['authentication', 'openapi'] },
)

function addViewport(html: string): string {
  return html.replace('<title>', '<meta name="viewport" content="width=device-width, initial-scale=1">\n      <title>')
}

const sandboxBanner =
  '> **Sandbox.** Nothing here reaches FreedomPay: no real client is created. The last three digits of the phone number choose what happens.'
const liveBanner = '> **Live.** This service talks to FreedomPay: a create makes a real client.'
const readOnly = ' "Try it out" is switched off (`DOCS`).'

const startHere = (mode: DocsPageOptions['mode'], prefix: string) => `## Start here

1. ${mode === 'try' ? 'Open **POST /clients** below, choose an example, press *Execute*.' : 'Read **POST /clients** below; its examples have a body for each case.'}
2. Send an \`Idempotency-Key\` with every create, and the same key with every retry: one key creates at most one client.
3. 201: the client exists. 202: the outcome is not final yet; wait as \`Retry-After\` says, then send the same request with the same key, or read \`Location\`.
4. \`safeToRetry\` of a problem says whether to send the request again; \`type\` leads to a page that explains the problem: [all problems](${prefix}/problems).
5. For support, quote \`requestId\`: it names the create. \`X-Request-Id\` names one HTTP request; a create may have several.

[How to call it, with code](${prefix}/docs/guide) · [All problems](${prefix}/problems) · [Changelog](${prefix}/docs/changelog) · [The OpenAPI document](${prefix}/openapi.json)

`

interface Parameter {
  readonly name?: string
  example?: unknown
}

/** The document with the banner, and with an example key that no earlier request has used. */
function toPageDocument(
  document: Readonly<Record<string, unknown>>,
  { mode, isSandbox }: DocsPageOptions,
  prefix: string,
) {
  const { info, paths } = document as {
    info: { description?: string }
    paths: Record<string, { post?: { parameters?: Parameter[] } }>
  }
  const banner =
    (isSandbox ? `${sandboxBanner} [Watch it live](${prefix}/sandbox).` : liveBanner) +
    (mode === 'read' ? readOnly : '')
  info.description = `${banner}\n\n${startHere(mode, prefix)}${info.description ?? ''}`
  for (const { post } of Object.values(paths)) {
    const key = post?.parameters?.find(({ name }) => name === 'Idempotency-Key')
    if (key !== undefined) key.example = randomUUID()
  }
  return document
}
