/** A trial of LEDGER_URL: its engine's own client reads it, and connects to nothing. */
import { createRequire } from 'node:module'
import { splitHosts } from './postgres-url.ts'

/** Only the client of the engine in use is loaded, and without a promise: the settings are read in one go. */
const load = createRequire(import.meta.url)

/**
 * A number sign, or an at sign in the path. The user name or the password of such an address has a special character that is not
 * percent-encoded, so a part of them would be taken for the host.
 */
const strayCharacter = /^[a-z]+:\/\/[^/?#]*(?:.*#|\/[^?]*@)/

/** What is wrong with the address, to stand behind its name; undefined for an address that the engine can use. */
export function findUrlFault(url: string): string | undefined {
  if (url === 'memory:' || url.startsWith('sqlite:')) return undefined
  if (strayCharacter.test(url)) {
    return 'is not a readable URL; in a user name and a password "#", "/", "?" and "@" must be percent-encoded'
  }
  try {
    if (/^postgres(ql)?:/.test(url)) readPostgresUrl(url)
    else readRedisUrl(url)
    return undefined
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    return syscall === undefined ? 'is not a readable URL' : `names a file that cannot be read (${code})`
  }
}

function readPostgresUrl(url: string): void {
  const { Client } = load('pg') as typeof import('pg')
  const hosts = splitHosts(url)
  if (hosts === undefined) throw new TypeError('not a URL')
  for (const connectionString of hosts) new Client({ connectionString })
}

function readRedisUrl(url: string): void {
  const { createClient } = load('redis') as typeof import('redis')
  const { database = 0 } = createClient({ url }).options ?? {}
  if (!Number.isSafeInteger(database) || database < 0) throw new TypeError('not the number of a database')
}
