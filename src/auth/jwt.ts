/** AUTH=jwt: tokens (RFC 7519) that an issuer has signed, checked by the rules of RFC 8725. */
import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose'
import { Problem, retryAfter, safeToRetryUnread } from '../problems/problem.ts'
import { insufficientScope, unauthenticated } from './bearer-token.ts'
import { type Authenticator, type Caller, isCallerName, type RequestHeaders } from './caller.ts'
import { type KeySet, KeysUnreachableError } from './key-set.ts'
import { createVerifiedTokens } from './verified-tokens.ts'

/** Only asymmetric algorithms: with HS256 the public key could be misused as the secret. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const clockToleranceSeconds = 30
const unreachableSeconds = 5

/** Headers by which a token brings or names its own keys: a sign of an attack. */
const ownKeyHeaders = ['jku', 'jwk', 'x5u', 'x5c'] as const

export interface JwtRules {
  readonly issuer: string
  readonly audience: string
  /** The claim that names the caller. */
  readonly callerClaim: string
  /** The scope that the token must have; undefined: every valid token is accepted. */
  readonly scope: string | undefined
}

export function createJwtAuthenticator(
  { getKey, current }: Pick<KeySet, 'getKey' | 'current'>,
  rules: JwtRules,
): Authenticator {
  const verifiedTokens = createVerifiedTokens(current)
  const options: JWTVerifyOptions = {
    algorithms,
    issuer: rules.issuer,
    audience: rules.audience,
    clockTolerance: clockToleranceSeconds,
    requiredClaims: ['exp'],
  }

  const getTrustedKey: typeof getKey = (header, token) => {
    if (ownKeyHeaders.some((name) => header[name] !== undefined))
      throw unauthenticated('the token names keys of its own')
    return getKey(header, token)
  }

  async function verify(token: string, headers: RequestHeaders): Promise<Caller> {
    const keys = current()
    const { payload } = await jwtVerify(token, getTrustedKey, options).catch((error: unknown) => {
      throw toProblem(error, headers)
    })
    const caller = payload[rules.callerClaim]
    if (!isCallerName(caller)) throw unauthenticated('the token does not name the caller')
    if (rules.scope !== undefined && !hasScope(payload, rules.scope)) throw insufficientScope(rules.scope)
    const expiresAtMs = (Number(payload.exp) + clockToleranceSeconds) * 1000
    verifiedTokens.add(token, keys, { caller, expiresAtMs })
    return caller
  }

  return {
    authenticate: (token, headers = {}) => verifiedTokens.find(token) ?? verify(token, headers),
    scheme: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: 'A token of the issuer of this service',
    },
    stop() {},
  }
}

/** `scope` is a list with spaces (RFC 8693, section 4.2); some issuers have `scp`, a list or an array. */
function hasScope({ scope, scp }: JWTPayload, wanted: string): boolean {
  return [scope, scp].flat().some((item) => typeof item === 'string' && item.split(' ').includes(wanted))
}

const reasons: Record<string, string> = {
  iss: 'the token comes from another issuer',
  aud: 'the token is for another audience',
  nbf: 'the token is not valid yet',
  exp: 'the token has no time of expiry',
}

function toProblem(error: unknown, headers: RequestHeaders): unknown {
  if (error instanceof KeysUnreachableError) {
    return new Problem('overloaded', {
      detail:
        'The issuer’s keys, which verify tokens, cannot be fetched at the moment. Nothing was sent to FreedomPay.',
      safeToRetry: safeToRetryUnread(headers),
      headers: retryAfter(unreachableSeconds),
      cause: error,
    })
  }
  // A problem is passed on. Any other error is a fault of this service: the token was not checked, so it may be good.
  if (!(error instanceof errors.JOSEError)) return error
  if (error instanceof errors.JWTExpired) return unauthenticated('the token has expired', error)
  const claim = error instanceof errors.JWTClaimValidationFailed ? error.claim : ''
  return unauthenticated(reasons[claim] ?? 'the token is not valid', error)
}
