/** How a create ended, for the metrics and for the log. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Problem } from '../problems/problem.ts'
import { type CreateOutcome, type Metrics, outcomeOfProblem } from '../telemetry/metrics.ts'
import type { CreateAnswer, IdempotencyStatus } from './answer.ts'

/** The log line of the HTTP request was written at the hang-up, before the outcome was known. */
const afterHangUp = 'The caller hung up; this line records how the create ended'

export function noteAnswer(
  metrics: Metrics,
  { log }: FastifyRequest,
  { raw }: FastifyReply,
  { representation, idempotencyStatus }: CreateAnswer,
): void {
  countResult(metrics, representation.status, idempotencyStatus)
  log.outcome = representation.status
  if (raw.destroyed) log.info(afterHangUp)
}

export function noteProblem(metrics: Metrics, { log }: FastifyRequest, { raw }: FastifyReply, problem: Problem): void {
  countProblem(metrics, problem)
  if (raw.destroyed && problem.body.requestId !== undefined) log.info({ code: problem.code }, afterHangUp)
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
