/** AUTH and its settings. A contradiction stops the start: a service with an open door would be worse than no service. */
import { readFileSync } from 'node:fs'
import { parseApiKeys } from '../auth/api-key.ts'
import type { AuthSettings } from '../auth/open.ts'
import { SecretFault } from '../auth/watch-secret.ts'
import type { Settings } from './settings.ts'

type Name = keyof Settings

const ownSettings: Record<AuthSettings['kind'], readonly Name[]> = {
  none: [],
  'api-key': ['API_KEYS_FILE'],
  jwt: ['JWT_JWKS_URL', 'JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_CALLER_CLAIM', 'JWT_SCOPE', 'JWT_JWKS_TOKEN', 'JWT_JWKS_CA'],
}
const required: readonly Name[] = ['API_KEYS_FILE', 'JWT_JWKS_URL', 'JWT_ISSUER', 'JWT_AUDIENCE']

export interface AuthSources {
  /** The texts of the environment, without defaults. */
  readonly given: Partial<Record<Name, string>>
  readonly isProduction: boolean
  /** Reads the present value of a setting, from the environment or its file. */
  readonly read: (name: Name) => string | undefined
}

export function toAuthSettings(
  settings: Settings,
  { given, isProduction, read }: AuthSources,
  faults: string[],
): AuthSettings {
  if (given.AUTH === undefined && isProduction) {
    faults.push('AUTH must be set in production: none, api-key or jwt')
    return { kind: 'none' }
  }
  const kind = settings.AUTH ?? 'none'
  for (const [owner, names] of Object.entries(ownSettings)) {
    for (const name of names) {
      const isGiven = given[name] !== undefined
      if (owner !== kind && isGiven) faults.push(`${name} belongs to AUTH=${owner}, but AUTH is ${kind}`)
      if (owner === kind && !isGiven && required.includes(name)) faults.push(`${name} is required with AUTH=${kind}`)
    }
  }
  switch (kind) {
    case 'none':
      return { kind }
    case 'api-key':
      return { kind, keysFile: checkKeysFile(settings.API_KEYS_FILE, faults) }
    case 'jwt': {
      checkScope(settings.JWT_SCOPE, faults)
      return {
        kind,
        rules: {
          issuer: settings.JWT_ISSUER ?? '',
          audience: settings.JWT_AUDIENCE ?? '',
          callerClaim: settings.JWT_CALLER_CLAIM,
          scope: settings.JWT_SCOPE,
        },
        jwksUrl: checkJwksUrl(settings.JWT_JWKS_URL, isProduction, faults),
        readJwksToken: () => read('JWT_JWKS_TOKEN'),
        readJwksCa: () => read('JWT_JWKS_CA'),
      }
    }
  }
}

function checkKeysFile(path: string | undefined, faults: string[]): string {
  if (path === undefined) return ''
  try {
    parseApiKeys(readFileSync(path, 'utf8'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    faults.push(
      error instanceof SecretFault
        ? `API_KEYS_FILE names a file with a fault: ${error.message}`
        : `API_KEYS_FILE names a file that cannot be read (${code})`,
    )
  }
  return path
}

/** One scope (RFC 6749, section 3.3), without a space. The scope goes into WWW-Authenticate unescaped. */
function checkScope(scope: string | undefined, faults: string[]): void {
  if (scope !== undefined && !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)) faults.push('JWT_SCOPE must be one scope')
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** HTTPS, as an attacker who can change the keys on their way can pretend to be any caller. */
function checkJwksUrl(text: string | undefined, isProduction: boolean, faults: string[]): string {
  if (text === undefined) return ''
  const url = URL.parse(text)
  const isHttp = url?.protocol === 'http:' && (!isProduction || loopback.test(url.hostname))
  if (url === null || !(url.protocol === 'https:' || isHttp) || url.username !== '' || url.password !== '') {
    faults.push(
      'JWT_JWKS_URL must be an https address without a password; http is allowed outside production and on the loopback',
    )
  }
  return url?.href ?? ''
}
