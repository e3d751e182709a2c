/** OpenAPI 3.1, generated from the route schemas, and Swagger UI over it. */
import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { type DocsMode, registerDocsPage } from './docs-page/register-docs.ts'
import { finishDocument, type OpenApiDocument } from './openapi-document.ts'

export interface OpenApiOptions {
  readonly version: string
  /** How /docs is served, if at all; /openapi.json is always there. */
  readonly docs: DocsMode
  /** Said on the page. */
  readonly isSandbox: boolean
}

const description = `Creates card clients at FreedomPay and never lies about an outcome.

201 means that the client exists, 202 that the outcome is not final yet. With a problem this request has created nothing,
unless it says \`safeToRetry: same-key-only\`: then that is not certain. Each problem's \`type\` leads to a page that explains it.`

export default fp(
  async function openapi(app: FastifyInstance, { version, docs, isSandbox }: OpenApiOptions) {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'freedompay-clients',
          description,
          version,
          license: { name: 'MIT', identifier: 'MIT' } as never,
        },
        servers: [{ url: '/', description: 'This service' }],
        tags: [
          { name: 'clients', description: 'Creating clients and learning what came of it' },
          { name: 'problems', description: 'What each error code means' },
        ],
        // Said outright: no credential is needed.
        security: [{}],
      },
      convertConstToEnum: false,
      transformObject: (result) =>
        finishDocument(('openapiObject' in result ? result.openapiObject : {}) as OpenApiDocument) as never,
    })

    app.get('/openapi.json', { schema: { hide: true }, handler: async () => app.swagger() })

    if (docs !== 'off') await app.register((scope) => registerDocsPage(scope, { mode: docs, isSandbox }))
  },
  { name: 'openapi' },
)
