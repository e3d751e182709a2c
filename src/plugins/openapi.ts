/** OpenAPI 3.1, generated from the schemas of the routes: `GET /openapi.json`. */
import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Authenticator } from '../auth/caller.ts'
import { finishDocument, type OpenApiDocument } from './openapi-document.ts'

export interface OpenApiOptions {
  readonly version: string
  /** The credential that private routes require; undefined: none. */
  readonly scheme: Authenticator['scheme'] | undefined
}

const description = `Creates card clients at FreedomPay and never lies about an outcome.

201: the client exists. 202: the outcome is not final yet. A problem: this request has created nothing, but with
\`safeToRetry: same-key-only\` that is not certain. The \`type\` of a problem leads to a page that explains the problem.`

/** The examples are written without the base path, as their authors cannot know it. */
function moveExamples<T extends object>(document: T, basePath: string): T {
  const move = (name: string, value: unknown) =>
    name === 'type' && typeof value === 'string' && value.startsWith('/problems/') ? `${basePath}${value}` : value
  return basePath === '' ? document : JSON.parse(JSON.stringify(document, move))
}

/** `identifier` (SPDX) exists since OpenAPI 3.1. */
const license = { name: 'MIT', identifier: 'MIT' }

export default fp(
  async function openapi(app: FastifyInstance, { version, scheme }: OpenApiOptions) {
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
          { name: 'clients', description: 'Create clients and read their outcomes' },
          { name: 'problems', description: 'The meaning of each problem code' },
        ],
        ...(scheme && { components: { securitySchemes: { caller: scheme } } }),
        // Explicit: only routes with a `security` of their own require a credential.
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
  },
  { name: 'openapi', dependencies: ['authentication'] },
)
