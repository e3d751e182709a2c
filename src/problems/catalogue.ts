/** The error catalogue. One table feeds the errors themselves, OpenAPI, the /problems pages and the README. */
import Type, { type Static } from 'typebox'

export const safeToRetryDescription =
  'yes: nothing was created, send the request again. same-key-only: send it again with the same Idempotency-Key, or not at all. no: a repetition does not help, or may do harm'

export const SafeToRetry = Type.Enum(['yes', 'same-key-only', 'no'], {
  type: 'string',
  description: safeToRetryDescription,
})
export type SafeToRetry = Static<typeof SafeToRetry>

interface ProblemDefinition {
  status: number
  title: string
  safeToRetry: SafeToRetry
  /** What happened: on the problem's page, and the `detail` of an answer that has no other. */
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
      'The body, a header or a parameter breaks the contract, or the request cannot be read at all. `errors` names every known place. Nothing was sent to FreedomPay.',
    retry: 'Correct the places that `errors` names, then send the request again.',
  },
  'invalid-idempotency-key': {
    status: 400,
    title: 'The Idempotency-Key is malformed or was sent twice',
    safeToRetry: 'no',
    happened:
      'An Idempotency-Key is one header line with 1 to 255 visible ASCII characters, bare or as a quoted string. Nothing was sent to FreedomPay.',
    retry: 'Send one well-formed key, for example a UUID, or no key.',
  },
  unauthenticated: {
    status: 401,
    title: 'No valid credential',
    safeToRetry: 'no',
    happened: 'The request has no credential, or its credential is not accepted. Nothing was sent to FreedomPay.',
    retry: 'Send a valid credential.',
  },
  forbidden: {
    status: 403,
    title: 'The caller may not do this',
    safeToRetry: 'no',
    happened: 'The caller is known but may not do this. Nothing was sent to FreedomPay.',
    retry: 'Ask the operators of this service for the permission.',
  },
  'not-found': {
    status: 404,
    title: 'No such route or request',
    safeToRetry: 'no',
    happened: 'No route has this address, or no request of this caller has this identifier.',
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
    title: 'Another replica is working on this key',
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
    retry: 'Send the body as uncompressed JSON with that header.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'The key was used with another body',
    safeToRetry: 'no',
    happened:
      'An earlier request had this Idempotency-Key and another body. The earlier request stands. This request was not sent to FreedomPay.',
    retry: 'For a new intent, send a new key. To repeat the earlier request, send its body again.',
  },
  'partner-rejected': {
    status: 422,
    title: 'FreedomPay rejected the client',
    safeToRetry: 'no',
    happened:
      'FreedomPay rejected the client, so the client does not exist. `partner` has FreedomPay’s code and description.',
    retry:
      'Correct the data that `partner` names: the same data would be rejected again. Use a new key for the corrected request.',
  },
  'rate-limited': {
    status: 429,
    title: 'This caller sends too many requests',
    safeToRetry: 'yes',
    happened: 'The caller has sent more requests in a minute than its limit. Nothing was sent to FreedomPay.',
    retry:
      'Wait as long as `Retry-After` says, then send the request again. If it had an Idempotency-Key, use the same key: an earlier attempt may have reached FreedomPay.',
  },
  internal: {
    status: 500,
    title: 'A fault in this service',
    safeToRetry: 'same-key-only',
    happened:
      'This service has a fault. Its log describes the fault in lines whose `reqId` is the `X-Request-Id` of this answer. `requestId`, if present, names the create.',
    retry: 'Send the same body with the same Idempotency-Key. Without a key, find out first whether the client exists.',
  },
  'partner-misconfigured': {
    status: 502,
    title: 'FreedomPay refuses this service’s credential',
    safeToRetry: 'yes',
    happened: 'FreedomPay refused the credential or the signature of this service, so FreedomPay created nothing.',
    retry:
      'The operators of this service must correct its credential; until then every create ends with this problem. Then send the request again, with the same Idempotency-Key if it had one.',
  },
  'partner-unavailable': {
    status: 503,
    title: 'FreedomPay cannot be reached',
    safeToRetry: 'yes',
    happened:
      'The request did not reach FreedomPay: the name look-up, the connection or TLS failed. Or FreedomPay refused the request because of too many requests.',
    retry:
      'Wait as long as `Retry-After` says, then send the request again. If it had an Idempotency-Key, use the same key: an earlier attempt may have reached FreedomPay.',
  },
  overloaded: {
    status: 503,
    title: 'This service accepts no more requests at the moment',
    safeToRetry: 'yes',
    happened: 'Too many requests are in flight, or this instance is shutting down. Nothing was sent to FreedomPay.',
    retry:
      'Wait as long as `Retry-After` says, then send the request again. If it had an Idempotency-Key, use the same key: an earlier attempt may have reached FreedomPay.',
  },
  'ledger-unavailable': {
    status: 503,
    title: 'The ledger is not available',
    safeToRetry: 'yes',
    happened:
      'The ledger could not be written or read, and nothing is sent to FreedomPay without a row in the ledger. Nothing was sent to FreedomPay.',
    retry:
      'Wait as long as `Retry-After` says, then send the request again. If it had an Idempotency-Key, use the same key: an earlier attempt may have reached FreedomPay.',
  },
} as const satisfies Record<string, ProblemDefinition>

export type ProblemCode = keyof typeof problems
export const problemCodes = Object.keys(problems) as ProblemCode[]
