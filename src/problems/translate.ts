/** Any error becomes a problem. */
import type { FastifyError } from 'fastify'
import { Problem, type ProblemOptions } from './problem.ts'

/** Fastify's own errors are known by their code. Any other error is a fault of this service, and the caller gets no detail of it. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const { code, statusCode } = (error ?? {}) as Partial<FastifyError>
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('body-too-large', { cause: error })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Problem('unsupported-media-type', { cause: error })
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return invalidRequest('content-length', 'must be the length of the body', { cause: error })
    case 'FST_ERR_BAD_URL':
      return invalidRequest('', 'the address cannot be decoded', { cause: error })
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return invalidRequest('', 'the address is too long', { status: statusCode, cause: error })
    case 'FST_STATIC_FORBIDDEN_PATH':
      return new Problem('not-found', { cause: error })
    default:
      // The rest of Fastify's 4xx, for example of a caller that hangs up in the middle of its body.
      return statusCode !== undefined && statusCode >= 400 && statusCode < 500
        ? new Problem('invalid-request', { status: statusCode, cause: error })
        : new Problem('internal', { cause: error })
  }
}

export function invalidRequest(pointer: string, message: string, options: ProblemOptions = {}): Problem {
  return new Problem('invalid-request', { errors: [{ pointer, message }], ...options })
}
