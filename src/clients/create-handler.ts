/** From a valid body to the create, and from its answer to the reply. */
import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Turn } from '../large-bodies/event-loop-slices.ts'
import { retryAfter } from '../problems/problem.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type CreateAnswer, lookAgainSeconds } from './answer.ts'
import type { CreateClient } from './body/schema.ts'
import type { CreateClientAtPartner } from './create/create-client.ts'
import { digestDocument, readIdempotencyKey, toKeyId, toRequestId } from './create/idempotency-key.ts'
import { type LedgerKeys, withLatestKeys } from './create/ledger-keys.ts'
import { type Preference, parsePrefer } from './create/prefer-header.ts'
import { noteAnswer } from './note-end.ts'

export interface CreateHandlerParts {
  readonly createClient: CreateClientAtPartner
  readonly ledgerKeys: Pick<LedgerKeys, 'fingerprints' | 'look'>
  readonly reading: { readonly turn: Turn }
  readonly deadlineMs: number
  readonly metrics: Metrics
}

/** A question so shortly before the end of the wait would learn nothing new, so the answer may come that much earlier. */
const lastPauseMs = 250

type Handle = (request: FastifyRequest<{ Body: CreateClient }>, reply: FastifyReply) => Promise<FastifyReply>

export function buildCreateHandler(parts: CreateHandlerParts, basePath: string): Handle {
  const { createClient, ledgerKeys, reading, deadlineMs, metrics } = parts

  return async (request, reply) => {
    const { body, caller, log } = request
    const preference = parsePrefer(request.headers.prefer as string | undefined, deadlineMs)
    const line = request.headers['idempotency-key'] as string | undefined
    const key = line === undefined ? undefined : readIdempotencyKey(line)
    const digest = key === undefined ? undefined : await digestDocument(body, reading.turn)

    const answer = await withLatestKeys(ledgerKeys, ([fingerprint, ...earlier]) => {
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
        wait: preference.wait,
        log,
      })
    })
    noteAnswer(metrics, request, reply, answer)
    return sendAnswer(reply, answer, preference, basePath)
  }
}

function sendAnswer(
  reply: FastifyReply,
  { representation, idempotencyStatus }: CreateAnswer,
  { wait, applied }: Preference,
  basePath: string,
): FastifyReply {
  if (idempotencyStatus !== undefined) reply.header('idempotency-status', idempotencyStatus)
  // The answer may come before the wait is over: too many wait, or the request that this one joined waits less.
  const isHonoured =
    typeof wait !== 'number' || representation.status === 'created' || reply.elapsedTime >= wait - lastPauseMs
  if (applied !== '' && isHonoured) reply.header('preference-applied', applied)
  if (representation.status !== 'created') reply.headers(retryAfter(lookAgainSeconds))
  // After a key rotation the row's requestId differs from the one computed here; the row's counts.
  reply.header('location', `${basePath}/clients/requests/${representation.requestId}`)
  return reply.code(representation.status === 'created' ? 201 : 202).send(representation)
}
