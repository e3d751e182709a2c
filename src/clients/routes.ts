/** The routes of clients. The contract of each route stands above it. */
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { bodyLimitBytes, type Reading, readBody } from '../large-bodies/read-body.ts'
import { compileValidator } from '../plugins/schema-compilers.ts'
import { retryAfter } from '../problems/problem.ts'
import { toProblem } from '../problems/translate.ts'
import { lookAgainSeconds } from './answer.ts'
import type { CreateClient } from './body/schema.ts'
import type { ValidateBody } from './body/validation.ts'
import { buildCreateHandler, type CreateHandlerParts } from './create-handler.ts'
import { noteProblem } from './note-end.ts'
import type { ReadRequest } from './read-request.ts'
import { requireIdempotencyKey, requirePlainJson } from './required-headers.ts'
import { createClientLinks, createClientSchema, readRequestSchema } from './route-schemas.ts'

export interface ClientRoutesOptions extends CreateHandlerParts {
  readonly readRequest: ReadRequest
  readonly validateBody: ValidateBody
  readonly reading: Reading
  readonly needsIdempotencyKey: boolean
}

export default fp(
  async function clientRoutes(app: FastifyInstance, options: ClientRoutesOptions) {
    const { readRequest, validateBody, reading, needsIdempotencyKey, metrics } = options

    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', ({ caller }, payload, done) =>
      readBody(payload, caller, reading, done),
    )

    /**
     * Creates one client at FreedomPay. The personal data of the body goes only to FreedomPay: the service neither logs nor
     * stores personal data. With an Idempotency-Key the ledger holds a keyed fingerprint of the body. Answers 201 (created), 202
     * (not final yet) or a problem.
     */
    app.post<{ Body: CreateClient }>('/clients', {
      config: { access: 'private' },
      schema: needsIdempotencyKey ? withRequiredKey(createClientSchema) : createClientSchema,
      links: createClientLinks,
      bodyLimit: bodyLimitBytes,
      // The schema holds only the rules that OpenAPI can express; `validateBody` checks all rules of the contract.
      validatorCompiler: (part) => (part.httpPart === 'body' ? validateBody : compileValidator(part)),
      onRequest(request, _reply, done) {
        requirePlainJson(request)
        if (needsIdempotencyKey) requireIdempotencyKey(request)
        done()
      },
      onError(request, reply, error, done) {
        noteProblem(metrics, request, reply, toProblem(error))
        done()
      },
      handler: buildCreateHandler(options, app.prefix),
    })

    /** The state of an earlier create of the same caller. Holds no personal data. */
    app.get<{ Params: { requestId: string } }>('/clients/requests/:requestId', {
      config: { access: 'private' },
      schema: readRequestSchema,
      handler: async (request, reply) => {
        const requestId = request.params.requestId.toLowerCase()
        const found = await readRequest({ requestId, caller: request.caller })
        if (found.status === 'unknown' || found.status === 'processing') reply.headers(retryAfter(lookAgainSeconds))
        return found
      },
    })
  },
  // Encapsulated: the parser of the body belongs to these routes alone.
  {
    name: 'client-routes',
    encapsulate: true,
    dependencies: ['schema-compilers', 'error-handler', 'expect-continue', 'authentication'],
  },
)

/** Only for OpenAPI: `requireIdempotencyKey` enforces the rule. */
function withRequiredKey(schema: typeof createClientSchema) {
  return { ...schema, headers: { ...schema.headers, required: ['Idempotency-Key'] } }
}
