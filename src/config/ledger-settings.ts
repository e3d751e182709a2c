/** The ledger: its address, its keys and how long it keeps a create. A contradiction between its settings stops the start. */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { minLedgerKeyBytes } from '../clients/create/ledger-keys.ts'
import { splitHosts } from '../ledger/postgres-url.ts'
import { type Environment, readText } from './read-environment.ts'
import type { Settings } from './settings.ts'

export function toLedgerSettings(settings: Settings, env: Environment, faults: string[]) {
  return {
    /** A function, as a `redis://` address may hold a password. */
    readLedger: () => ({ url: settings.LEDGER_URL, retentionMs: settings.LEDGER_RETENTION_HOURS * 3_600_000 }),
    /** Undefined: derived from the host and the auth id. */
    ledgerAccount: settings.LEDGER_ACCOUNT,
    /** Reads the present key of the body fingerprints; undefined: derived from the secret key. */
    readLedgerKey: toLedgerKeyReader(settings, env, faults),
    /** An empty file counts as absent. */
    readPreviousLedgerKey: () => readText(env, 'LEDGER_PREVIOUS_KEY') || undefined,
  }
}

/** A ledger that outlives the process needs a key that outlives the process, too. */
function toLedgerKeyReader(settings: Settings, env: Environment, faults: string[]): () => string | undefined {
  const { LEDGER_KEY: key, LEDGER_PREVIOUS_KEY: previousKey, LEDGER_URL: url } = settings
  if (url === 'memory:' && env.NODE_ENV === 'production' && !readText(env, 'LEDGER_URL')) {
    faults.push('LEDGER_URL is required in production')
  }
  if (!isReadableLedgerUrl(url)) faults.push('LEDGER_URL is not a readable URL')
  if (url.startsWith('sqlite:/') && !existsSync(dirname(url.slice('sqlite:'.length)))) {
    faults.push('LEDGER_URL names a file in a folder that does not exist')
  }
  if (key === undefined && url !== 'memory:') faults.push('LEDGER_KEY is required with this LEDGER_URL')
  for (const [name, text] of Object.entries({ LEDGER_KEY: key, LEDGER_PREVIOUS_KEY: previousKey })) {
    if (text !== undefined && Buffer.byteLength(text) < minLedgerKeyBytes) {
      faults.push(`${name} must have at least ${minLedgerKeyBytes} bytes`)
    }
  }
  const isGiven = key !== undefined
  // A file that is emptied later is faulty. Its key must not become the derived one.
  return () => (isGiven ? readText(env, 'LEDGER_KEY') : undefined)
}

function isReadableLedgerUrl(url: string): boolean {
  if (url.startsWith('sqlite:')) return true
  return /^postgres(ql)?:/.test(url) ? splitHosts(url) !== undefined : URL.parse(url) !== null
}
