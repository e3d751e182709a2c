import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Turn } from '../large-bodies/event-loop-slices.ts'
import { readBody } from '../large-bodies/read-body.ts'
import { toProblem } from '../plugins/error-handler.ts'
import { Problem } from '../problems/problem.ts'
import { requestLogOf } from '../telemetry/logger.ts'
import { type CreateOutcome, type Metrics, outcomeOfProblem } from '../telemetry/metrics.ts'
import { type IdempotencyStatus, lookAgainSeconds } from './answer.ts'
import type { CreateClient } from './body/schema.ts'
import type { ValidateBody } from './body/validation.ts'
import type { CreateClientAtPartner } from './create/create-client.ts'
import { type Fingerprint, readIdempotencyKey, toRequestId } from './create/idempotency-key.ts'
import { parsePrefer } from './create/prefer-header.ts'
import type { ReadRequest } from './read-request.ts'
import { createClientLinks, createClientSchema, readRequestSchema } from './route-schemas.ts'

export interface ClientRoutesOptions {
  readonly createClient: CreateClientAtPartner
  readonly readRequest: ReadRequest
  readonly validateBody: ValidateBody
  readonly fingerprint: Fingerprint
  /** Where large bodies wait between slices of work. */
  readonly turn: Turn
  readonly deadlineMs: number
  readonly metrics: Metrics
}

/** Who calls where nobody is asked who they are. */
const anonymousCaller = 'anonymous'

/** The line of the HTTP request was written when the caller left; this one tells what nobody was there to hear. */
const unheard = 'the create that nobody waits for has ended'

export async function registerClientRoutes(app: FastifyInstance, options: ClientRoutesOptions): Promise<void> {
  const { createClient, readRequest, validateBody, fingerprint, turn, deadlineMs, metrics } = options

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', (_request, payload, done) => readBody(payload, turn, done))

  /**
   * Creates one client at FreedomPay. All personal data of the body goes there and nowhere else: it is neither logged nor
   * kept; the ledger holds a keyed fingerprint of it, and only where there is an Idempotency-Key. Answers 201 (created), 202
   * (not final yet) or a problem.
   */
  app.post<{ Body: CreateClient }>('/clients', {
    schema: createClientSchema,
    links: createClientLinks,
    // Headers are read where they are used, as a malformed one is not always an error.
    validatorCompiler:
      ({ httpPart }) =>
      (value) => {
        if (httpPart === 'body') validateBody(value)
        return true
      },
    onRequest(request, _reply, done) {
      requirePlainJson(request)
      done()
    },
    onError(request, reply, error, done) {
      const problem = toProblem(error)
      countProblem(metrics, problem)
      if (reply.raw.destroyed && problem.body.requestId !== undefined) request.log.info({ code: problem.code }, unheard)
      done()
    },
    handler: async (request, reply) => {
      const { body } = request
      const { waitMs, applied } = parsePrefer(request.headers.prefer as string | undefined, deadlineMs)
      const line = request.headers['idempotency-key'] as string | undefined
      const key = line === undefined ? undefined : readIdempotencyKey(line)
      const requestId = key === undefined ? randomUUID() : toRequestId(anonymousCaller, key)
      const log = requestLogOf(request)
      log.requestId = requestId

      const { representation, idempotencyStatus } = await createClient({
        requestId,
        caller: anonymousCaller,
        fingerprint: key === undefined ? '' : fingerprint(body),
        body,
        waitMs,
        log,
      })
      countResult(metrics, representation.status, idempotencyStatus)
      log.outcome = representation.status
      if (reply.raw.destroyed) log.info(unheard)
      if (idempotencyStatus !== undefined) reply.header('idempotency-status', idempotencyStatus)
      // Whoever joins waits as the first request does.
      if (applied !== '' && idempotencyStatus !== 'joined') reply.header('preference-applied', applied)
      if (representation.status !== 'created') reply.header('retry-after', lookAgainSeconds)
      reply.header('location', `/clients/requests/${requestId}`)
      return reply.code(representation.status === 'created' ? 201 : 202).send(representation)
    },
  })

  /** What is known of an earlier create of the same caller's. Holds no personal data. */
  app.get<{ Params: { requestId: string } }>('/clients/requests/:requestId', {
    schema: readRequestSchema,
    validatorCompiler: () => requireUuid,
    handler: async (request, reply) => {
      const requestId = request.params.requestId.toLowerCase()
      const known = await readRequest({ requestId, caller: anonymousCaller })
      if (known.status === 'processing' || known.status === 'unknown') reply.header('retry-after', lookAgainSeconds)
      return known
    },
  })
}

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

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function requireUuid(params: { requestId: string }): { value: unknown } {
  if (uuid.test(params.requestId)) return { value: params }
  throw new Problem('invalid-request', { errors: [{ pointer: 'requestId', message: 'must be a UUID' }] })
}

const contentType = 'content-type'
const plainJson = /^application\/json(?:; ?charset=(?:utf-8|"utf-8"))?$/i

/** Before the body is read. Stricter than RFC 9110's white space, so that no two parsers can disagree about the type. */
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
