/** The error catalogue. One table feeds the errors themselves, OpenAPI, the /problems pages and the README. */
import Type, { type Static } from 'typebox'

export const safeToRetryDescription =
  'yes: nothing happened, send it again. same-key-only: again with the same Idempotency-Key, or not at all. no: it would not help, or might do harm'

export const SafeToRetry = Type.Enum(['yes', 'same-key-only', 'no'], {
  type: 'string',
  description: safeToRetryDescription,
})
export type SafeToRetry = Static<typeof SafeToRetry>

interface ProblemDefinition {
  status: number
  title: string
  safeToRetry: SafeToRetry
  /** What happened, for whoever reads the page. */
  happened: string
  /** Whether and how to try again. */
  retry: string
}

export const problems = {
  'invalid-request': {
    status: 400,
    title: 'The request breaks the contract',
    safeToRetry: 'no',
    happened:
      'The body, a header or a parameter is not what the contract asks for, or the request cannot be read at all. `errors` names every place that is known. Nothing was sent to FreedomPay.',
    retry: 'Correct the places that `errors` names, then send it again.',
  },
  'invalid-idempotency-key': {
    status: 400,
    title: 'The Idempotency-Key is malformed or was sent twice',
    safeToRetry: 'no',
    happened:
      'An Idempotency-Key is one header line with 1 to 255 visible ASCII characters, bare or as a quoted string. Nothing was sent to FreedomPay.',
    retry: 'Send one well-formed key, for example a UUID, or none.',
  },
  unauthenticated: {
    status: 401,
    title: 'No valid credential',
    safeToRetry: 'no',
    happened: 'The request carries no credential, or one that is not accepted. Nothing was sent to FreedomPay.',
    retry: 'Send a valid credential.',
  },
  forbidden: {
    status: 403,
    title: 'Not allowed',
    safeToRetry: 'no',
    happened: 'The caller is known but may not do this. Nothing was sent to FreedomPay.',
    retry: 'Ask whoever runs this service for the right.',
  },
  'not-found': {
    status: 404,
    title: 'No such route or request',
    safeToRetry: 'no',
    happened: 'There is no such route, or no request of yours with this identifier.',
    retry: 'Check the address. A request is visible only to the caller that made it.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The route does not know this method',
    safeToRetry: 'no',
    happened: 'The address exists, but not with this method. `Allow` lists the methods it knows.',
    retry: 'Use one of the methods in `Allow`.',
  },
  'request-in-progress': {
    status: 409,
    title: 'This key is being worked on elsewhere',
    safeToRetry: 'same-key-only',
    happened: 'Another replica is working on a request with the same Idempotency-Key.',
    retry: 'Wait as long as `Retry-After` says, then send the same body with the same key, or read the request.',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is too large',
    safeToRetry: 'no',
    happened:
      'A body has at most 3 MiB, which leaves room for a document of 2 MiB in Base64. Nothing was sent to FreedomPay.',
    retry: 'Send a smaller document.',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'The body is not plain application/json',
    safeToRetry: 'no',
    happened:
      'The body must be `Content-Type: application/json`, in UTF-8, without any Content-Encoding. Nothing was sent to FreedomPay.',
    retry: 'Send it as uncompressed JSON with that header.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'The key came before with another body',
    safeToRetry: 'no',
    happened: 'This Idempotency-Key was used with another body. The earlier request stands; this one was not sent.',
    retry: 'Use a new key for a new intent, or the first body for the old one.',
  },
  'partner-rejected': {
    status: 422,
    title: 'FreedomPay decided against it',
    safeToRetry: 'no',
    happened: 'FreedomPay answered that it does not create this client. `partner` carries its code and description.',
    retry:
      'Correct what `partner` names; the same data would be rejected again. Use a new key for the corrected request.',
  },
  'rate-limited': {
    status: 429,
    title: 'This caller sends too much',
    safeToRetry: 'yes',
    happened: 'The caller has sent more requests in a minute than it may. Nothing was sent to FreedomPay.',
    retry:
      'Wait as long as `Retry-After` says, then send it again, with the same Idempotency-Key if it had one: an earlier try of it may have gone further.',
  },
  internal: {
    status: 500,
    title: 'A fault in this service',
    safeToRetry: 'same-key-only',
    happened:
      'This service failed in a way that it should not. Its log has the fault as `reqId`, under the `X-Request-Id` of this answer; `requestId`, where there is one, names the create.',
    retry: 'Send the same body with the same Idempotency-Key. Without a key, find out first whether the client exists.',
  },
  'partner-misconfigured': {
    status: 502,
    title: 'FreedomPay refuses this service’s credential',
    safeToRetry: 'yes',
    happened: 'FreedomPay refused the credential or the signature of this service, so it created nothing.',
    retry:
      'Whoever runs this service must correct its credential; until then every request ends like this. Then send it again, with the same Idempotency-Key if it had one.',
  },
  'partner-unavailable': {
    status: 503,
    title: 'FreedomPay cannot be reached',
    safeToRetry: 'yes',
    happened:
      'The request provably did not reach FreedomPay (its name, the connection or TLS failed), or FreedomPay refused it for now because of too many requests.',
    retry:
      'Wait as long as `Retry-After` says, then send it again, with the same Idempotency-Key if it had one: an earlier try of it may have gone further.',
  },
  overloaded: {
    status: 503,
    title: 'This service takes no more work at the moment',
    safeToRetry: 'yes',
    happened: 'Too many requests are in flight, or this instance is shutting down. Nothing was sent to FreedomPay.',
    retry:
      'Wait as long as `Retry-After` says, then send it again, with the same Idempotency-Key if it had one: an earlier try of it may have gone further.',
  },
  'ledger-unavailable': {
    status: 503,
    title: 'The ledger is not available',
    safeToRetry: 'yes',
    happened:
      'What is asked of FreedomPay is written down in the ledger first, and that failed, or the ledger could not be read. Nothing was sent to FreedomPay.',
    retry:
      'Wait as long as `Retry-After` says, then send it again, with the same Idempotency-Key if it had one: an earlier try of it may have gone further.',
  },
} as const satisfies Record<string, ProblemDefinition>

export type ProblemCode = keyof typeof problems
export const problemCodes = Object.keys(problems) as ProblemCode[]
