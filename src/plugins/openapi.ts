/** OpenAPI 3.1, generated from the route schemas, and Swagger UI over it. */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

export interface OpenApiOptions {
  readonly version: string
  /** Swagger UI on or off; /openapi.json is always there. */
  readonly hasDocs: boolean
}

const description = `Creates card clients at FreedomPay and never lies about an outcome: a problem is answered only where it is
certain that no client was created, and everything else is 201 or 202. Each problem's \`type\` leads to a page that explains it.`

export default fp(
  async function openapi(app: FastifyInstance, { version, hasDocs }: OpenApiOptions) {
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
        security: [],
      },
      refResolver: { buildLocalReference: (json, _baseUri, _fragment, i) => String(json.$id ?? `def-${i}`) },
    })

    app.get('/openapi.json', { schema: { hide: true }, handler: async () => app.swagger() })

    if (hasDocs) {
      await app.register(swaggerUi, {
        routePrefix: '/docs',
        uiConfig: { tryItOutEnabled: true, docExpansion: 'list', displayRequestDuration: true, validatorUrl: null },
        staticCSP: true,
      })
    }
  },
  { name: 'openapi' },
)
