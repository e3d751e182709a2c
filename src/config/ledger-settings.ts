/** The ledger: its address, its keys and how long it keeps a create. A contradiction between its settings stops the start. */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { minLedgerKeyBytes } from '../clients/create/ledger-keys.ts'
import { findUrlFault } from '../ledger/try-url.ts'
import { type Environment, isGiven, readText } from './read-environment.ts'
import type { SettingsReading } from './settings.ts'

export function toLedgerSettings(reading: SettingsReading, env: Environment, faults: string[]) {
  const { LEDGER_URL: url, LEDGER_RETENTION_HOURS: retentionHours, LEDGER_ACCOUNT: account } = reading.values
  checkUrl(reading, env, faults)
  return {
    /** A function, as a `redis://` address may hold a password. */
    readLedger: () => ({ url, retentionMs: retentionHours * 3_600_000 }),
    /** Undefined: derived from the host and the auth id. */
    ledgerAccount: account,
    /** Reads the present key of the body fingerprints; undefined: derived from the secret key. */
    readLedgerKey: toLedgerKeyReader(reading, env, faults),
    /** An empty file counts as absent. */
    readPreviousLedgerKey: () => readText(env, 'LEDGER_PREVIOUS_KEY') || undefined,
  }
}

function checkUrl(reading: SettingsReading, env: Environment, faults: string[]): void {
  if (env.NODE_ENV === 'production' && !isGiven(reading, 'LEDGER_URL')) {
    faults.push('LEDGER_URL is required in production')
  }
  const url = reading.values.LEDGER_URL
  const fault = findUrlFault(url)
  if (fault !== undefined) faults.push(`LEDGER_URL ${fault}`)
  if (url.startsWith('sqlite:/') && !existsSync(dirname(url.slice('sqlite:'.length)))) {
    faults.push('LEDGER_URL names a file in a folder that does not exist')
  }
}

/** A ledger that outlives the process needs a key that outlives the process, too. */
function toLedgerKeyReader(reading: SettingsReading, env: Environment, faults: string[]): () => string | undefined {
  const { LEDGER_KEY: key, LEDGER_PREVIOUS_KEY: previousKey } = reading.values
  if (!isGiven(reading, 'LEDGER_KEY') && !isInMemory(reading)) {
    faults.push('LEDGER_KEY is required, except with LEDGER_URL=memory:')
  }
  for (const [name, text] of Object.entries({ LEDGER_KEY: key, LEDGER_PREVIOUS_KEY: previousKey })) {
    if (text !== undefined && Buffer.byteLength(text) < minLedgerKeyBytes) {
      faults.push(`${name} must have at least ${minLedgerKeyBytes} bytes`)
    }
  }
  // A file that is emptied later is faulty. Its key must not become the derived one.
  return () => (key === undefined ? undefined : readText(env, 'LEDGER_KEY'))
}

/** Also true for a faulty text that is meant so. An address that cannot be read may be of any ledger. */
function isInMemory(reading: SettingsReading): boolean {
  if (!isGiven(reading, 'LEDGER_URL')) return true
  return reading.texts.LEDGER_URL?.startsWith('memory') ?? false
}
