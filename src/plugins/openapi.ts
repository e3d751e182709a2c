/** OpenAPI 3.1, generated from the route schemas, and Swagger UI over it. */
import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Authenticator } from '../auth/caller.ts'
import { declarePublic } from './authentication.ts'
import { type DocsMode, registerDocsPage } from './docs-page/register-docs.ts'
import { finishDocument, type OpenApiDocument } from './openapi-document.ts'

export interface OpenApiOptions {
  readonly version: string
  /** How /docs is served, if at all; /openapi.json is always there. */
  readonly docs: DocsMode
  /** Said on the page. */
  readonly isSandbox: boolean
  /** What private routes want of a caller; undefined: nothing. */
  readonly scheme: Authenticator['scheme'] | undefined
}

const description = `Creates card clients at FreedomPay and never lies about an outcome.

201 means that the client exists, 202 that the outcome is not final yet. With a problem this request has created nothing,
unless it says \`safeToRetry: same-key-only\`: then that is not certain. Each problem's \`type\` leads to a page that explains it.`

/** The examples are made where nobody knows of a base path. */
function moveExamples<T extends object>(document: T, basePath: string): T {
  const move = (name: string, value: unknown) =>
    name === 'type' && typeof value === 'string' && value.startsWith('/problems/') ? `${basePath}${value}` : value
  return basePath === '' ? document : JSON.parse(JSON.stringify(document, move))
}

/** `identifier` is a word of OpenAPI 3.1. */
const license = { name: 'MIT', identifier: 'MIT' }

export default fp(
  async function openapi(app: FastifyInstance, { version, docs, isSandbox, scheme }: OpenApiOptions) {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'freedompay-clients',
          description,
          version,
          license,
        },
        servers: [{ url: app.prefix || '/', description: 'This service' }],
        tags: [
          { name: 'clients', description: 'Creating clients and learning what came of it' },
          { name: 'problems', description: 'What each error code means' },
        ],
        ...(scheme && { components: { securitySchemes: { caller: scheme } } }),
        // Said outright: no credential is needed, but where a route says otherwise.
        security: [{}],
      },
      convertConstToEnum: false,
      transform: ({ schema, url, route }) => {
        const isPrivate = scheme !== undefined && route.config?.access !== 'public'
        return { schema: isPrivate ? { ...schema, security: [{ caller: [] }] } : schema, url }
      },
      transformObject: (result) => {
        const document = 'openapiObject' in result ? result.openapiObject : {}
        return moveExamples(finishDocument(document as OpenApiDocument), app.prefix) as typeof document
      },
    })

    app.get('/openapi.json', {
      config: { access: 'public' },
      schema: { hide: true },
      handler: async () => app.swagger(),
    })

    if (docs !== 'off') {
      await app.register(async (scope) => {
        declarePublic(scope)
        await registerDocsPage(scope, { mode: docs, isSandbox })
      })
    }
  },
  { name: 'openapi' },
)
