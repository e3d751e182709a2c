import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { bodyLimitBytes, type Reading, readBody } from '../large-bodies/read-body.ts'
import { compileValidator } from '../plugins/schema-compilers.ts'
import { Problem, retryAfter } from '../problems/problem.ts'
import { toProblem } from '../problems/translate.ts'
import { type CreateOutcome, type Metrics, outcomeOfProblem } from '../telemetry/metrics.ts'
import { type IdempotencyStatus, lookAgainSeconds } from './answer.ts'
import type { CreateClient } from './body/schema.ts'
import type { ValidateBody } from './body/validation.ts'
import type { CreateClientAtPartner } from './create/create-client.ts'
import { digestDocument, readIdempotencyKey, toKeyId, toRequestId } from './create/idempotency-key.ts'
import { type LedgerKeys, withLatestKeys } from './create/ledger-keys.ts'
import { parsePrefer } from './create/prefer-header.ts'
import type { ReadRequest } from './read-request.ts'
import { createClientLinks, createClientSchema, readRequestSchema } from './route-schemas.ts'

export interface ClientRoutesOptions {
  readonly createClient: CreateClientAtPartner
  readonly readRequest: ReadRequest
  readonly validateBody: ValidateBody
  readonly ledgerKeys: Pick<LedgerKeys, 'fingerprints' | 'look'>
  readonly reading: Reading
  readonly deadlineMs: number
  readonly needsIdempotencyKey: boolean
  readonly metrics: Metrics
}

/** The log line of the HTTP request was written at the hang-up, before the outcome was known. */
const afterHangUp = 'The caller hung up; this line records how the create ended'

export default fp(
  async function clientRoutes(app: FastifyInstance, options: ClientRoutesOptions) {
    const { createClient, readRequest, validateBody, ledgerKeys, reading, deadlineMs, needsIdempotencyKey, metrics } =
      options

    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', (_request, payload, done) => readBody(payload, reading, done))

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
        const problem = toProblem(error)
        countProblem(metrics, problem)
        if (reply.raw.destroyed && problem.body.requestId !== undefined)
          request.log.info({ code: problem.code }, afterHangUp)
        done()
      },
      handler: async (request, reply) => {
        const { body, caller } = request
        const { waitMs, applied } = parsePrefer(request.headers.prefer as string | undefined, deadlineMs)
        const line = request.headers['idempotency-key'] as string | undefined
        const key = line === undefined ? undefined : readIdempotencyKey(line)
        const digest = key === undefined ? undefined : await digestDocument(body, reading.turn)
        const { log } = request

        const { representation, idempotencyStatus } = await withLatestKeys(ledgerKeys, ([fingerprint, ...earlier]) => {
          const print = key === undefined ? '' : fingerprint(body, digest)
          const requestId = key === undefined ? randomUUID() : toRequestId(caller, key, print)
          log.requestId = requestId
          return createClient({
            requestId,
            keyId: key === undefined ? undefined : toKeyId(caller, key),
            caller,
            fingerprints: key === undefined ? [] : [print, ...earlier.map((before) => before(body, digest))],
            body,
            arrivedAt: performance.now() - reply.elapsedTime,
            waitMs,
            log,
          })
        })
        countResult(metrics, representation.status, idempotencyStatus)
        log.outcome = representation.status
        if (reply.raw.destroyed) log.info(afterHangUp)
        if (idempotencyStatus !== undefined) reply.header('idempotency-status', idempotencyStatus)
        // A joined request waits as long as the first request, so its own preference is not applied.
        if (applied !== '' && idempotencyStatus !== 'joined') reply.header('preference-applied', applied)
        if (representation.status !== 'created') reply.headers(retryAfter(lookAgainSeconds))
        // After a key rotation the row's requestId differs from the one computed here; the row's counts.
        reply.header('location', `${app.prefix}/clients/requests/${representation.requestId}`)
        return reply.code(representation.status === 'created' ? 201 : 202).send(representation)
      },
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

function countResult(metrics: Metrics, outcome: CreateOutcome, status: IdempotencyStatus | undefined): void {
  if (status !== undefined) metrics.countKey(status)
  metrics.countCreate(status === undefined || status === 'new' ? outcome : 'replayed')
}

function countProblem(metrics: Metrics, { code, headers }: Problem): void {
  const outcome = outcomeOfProblem[code]
  if (outcome !== undefined)
    countResult(metrics, outcome, headers['idempotency-status'] as IdempotencyStatus | undefined)
  if (code === 'request-in-progress') metrics.countKey('in_progress')
  if (code === 'idempotency-key-reused') metrics.countKey('reused')
}

/** Only for OpenAPI: `requireIdempotencyKey` enforces the rule. */
function withRequiredKey(schema: typeof createClientSchema) {
  return { ...schema, headers: { ...schema.headers, required: ['Idempotency-Key'] } }
}

/** Runs before the body is read, so that a refusal costs no upload. */
function requireIdempotencyKey({ headers }: FastifyRequest): void {
  if (headers['idempotency-key'] !== undefined) return
  const message = 'is required by this service; send one key with every create, and the same key with every retry'
  throw new Problem('invalid-request', { errors: [{ pointer: 'idempotency-key', message }] })
}

const contentType = 'content-type'
const plainJson = /^application\/json(?:; ?charset=(?:utf-8|"utf-8"))?$/i

/** Runs before the body is read. Stricter than RFC 9110's white space, so that no two parsers can disagree about the type. */
function requirePlainJson({ raw }: FastifyRequest): void {
  const { rawHeaders } = raw
  let lines = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === contentType.length && rawHeaders[i]?.toLowerCase() === contentType) lines++
  }
  if (lines > 1)
    throw new Problem('invalid-request', { errors: [{ pointer: contentType, message: 'must be sent once' }] })
  const isPlain = plainJson.test(raw.headers[contentType] ?? '') && raw.headers['content-encoding'] === undefined
  if (!isPlain) throw new Problem('unsupported-media-type')
}
