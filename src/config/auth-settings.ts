/** AUTH and its settings. A contradiction stops the start: a service with an open door would be worse than no service. */
import { readFileSync } from 'node:fs'
import { parseApiKeys } from '../auth/api-key.ts'
import type { AuthSettings } from '../auth/open.ts'
import { SecretFault } from '../auth/watch-secret.ts'
import { isGiven } from './read-environment.ts'
import type { SettingName, SettingsReading } from './settings.ts'

type Kind = AuthSettings['kind']

const ownSettings: Record<Kind, readonly SettingName[]> = {
  none: [],
  'api-key': ['API_KEYS_FILE'],
  jwt: ['JWT_JWKS_URL', 'JWT_ISSUER', 'JWT_AUDIENCE', 'JWT_CALLER_CLAIM', 'JWT_SCOPE', 'JWT_JWKS_TOKEN', 'JWT_JWKS_CA'],
}
const required: readonly SettingName[] = ['API_KEYS_FILE', 'JWT_JWKS_URL', 'JWT_ISSUER', 'JWT_AUDIENCE']

export interface AuthSources {
  readonly isProduction: boolean
  /** Reads the present value of a setting, from the environment or its file. */
  readonly read: (name: SettingName) => string | undefined
}

export function toAuthSettings(
  reading: SettingsReading,
  { isProduction, read }: AuthSources,
  faults: string[],
): AuthSettings {
  const { values } = reading
  const kind = findKind(reading, isProduction, faults)
  if (kind !== undefined) checkAgreement(kind, reading, faults)
  // While AUTH itself is faulty, the settings of every kind are checked.
  const isInUse = (owner: Kind) => kind === undefined || kind === owner
  const keysFile = isInUse('api-key') ? checkKeysFile(values.API_KEYS_FILE, faults) : ''
  const jwksUrl = isInUse('jwt') ? checkJwksUrl(values.JWT_JWKS_URL, isProduction, faults) : ''
  if (isInUse('jwt')) {
    checkScope(values.JWT_SCOPE, faults)
    checkToken(values.JWT_JWKS_TOKEN, faults)
  }
  switch (kind) {
    case undefined:
    case 'none':
      return { kind: 'none' }
    case 'api-key':
      return { kind, keysFile }
    case 'jwt':
      return {
        kind,
        rules: {
          issuer: values.JWT_ISSUER ?? '',
          audience: values.JWT_AUDIENCE ?? '',
          callerClaim: values.JWT_CALLER_CLAIM,
          scope: values.JWT_SCOPE,
        },
        jwksUrl,
        readJwksToken: () => read('JWT_JWKS_TOKEN'),
        readJwksCa: () => read('JWT_JWKS_CA'),
      }
  }
}

/** Undefined: AUTH is missing or faulty. */
function findKind({ values, faulty }: SettingsReading, isProduction: boolean, faults: string[]): Kind | undefined {
  if (faulty.has('AUTH')) return undefined
  if (values.AUTH === undefined && isProduction) {
    faults.push('AUTH must be set in production: none, api-key or jwt')
    return undefined
  }
  return values.AUTH ?? 'none'
}

function checkAgreement(kind: Kind, reading: SettingsReading, faults: string[]): void {
  for (const [owner, names] of Object.entries(ownSettings)) {
    for (const name of names) {
      const isThere = isGiven(reading, name)
      if (owner !== kind && isThere) faults.push(`${name} belongs to AUTH=${owner}, but AUTH is ${kind}`)
      if (owner === kind && !isThere && required.includes(name)) faults.push(`${name} is required with AUTH=${kind}`)
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

/** The token goes into Authorization. */
function checkToken(token: string | undefined, faults: string[]): void {
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    faults.push('JWT_JWKS_TOKEN must be one token, of visible ASCII characters')
  }
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
