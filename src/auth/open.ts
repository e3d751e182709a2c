/** Chooses the authenticator by the settings. */
import type { Logger } from 'pino'
import { createApiKeyAuthenticator } from './api-key.ts'
import type { Authenticator } from './caller.ts'
import { fetchJwks } from './fetch-jwks.ts'
import { createJwtAuthenticator, type JwtRules } from './jwt.ts'
import { createKeySet } from './key-set.ts'
import type { ObserveSecret } from './watch-secret.ts'

export type AuthSettings =
  | { readonly kind: 'none' }
  | { readonly kind: 'api-key'; readonly keysFile: string }
  | {
      readonly kind: 'jwt'
      readonly rules: JwtRules
      readonly jwksUrl: string
      readonly readJwksToken: () => string | undefined
      readonly readJwksCa: () => string | undefined
    }

/** Undefined with AUTH=none: every caller is anonymous. */
export function openAuthenticator(
  settings: AuthSettings,
  { observe, log }: { observe: ObserveSecret; log: Logger },
): Authenticator | undefined {
  switch (settings.kind) {
    case 'none':
      return undefined
    case 'api-key':
      return createApiKeyAuthenticator({ keysFile: settings.keysFile, observe, log })
    case 'jwt': {
      const { rules, jwksUrl: url, readJwksToken: readToken, readJwksCa: readCa } = settings
      const keySet = createKeySet({ fetchKeys: () => fetchJwks({ url, readToken, readCa }), observe, log })
      // Not awaited: an issuer that cannot be reached must not stop the start of this service.
      void keySet.warmUp()
      return createJwtAuthenticator(keySet, rules)
    }
  }
}
