/**
 * The keys of the body fingerprints. A key rotates without a restart, and fingerprints by earlier keys are still recognised.
 */
import { hash } from 'node:crypto'
import type { Logger } from 'pino'
import { lookAgainMs, type ObserveSecret, SecretFault, watchSecret } from '../../auth/watch-secret.ts'
import { createFingerprint, type Fingerprint } from './idempotency-key.ts'

export const minLedgerKeyBytes = 32

export interface LedgerKeyTexts {
  readonly key: string
  /** LEDGER_PREVIOUS_KEY: keeps the earlier key across restarts. */
  readonly previousKey: string | undefined
}

/** The fingerprint by the current key, then by earlier keys. */
export type Fingerprints = readonly [Fingerprint, ...Fingerprint[]]

export interface LedgerKeys {
  readonly fingerprints: () => Fingerprints
  stop(): void
}

export interface LedgerKeyParts {
  readonly observe: ObserveSecret
  readonly log: Pick<Logger, 'info' | 'error'>
  readonly everyMs?: number
}

interface Prepared {
  readonly digest: string
  readonly fingerprint: Fingerprint
}

/** @throws SecretFault if a key is too short at the start. After the start a faulty key is ignored: the keys in use stay. */
export function watchLedgerKeys(
  readKeys: () => LedgerKeyTexts,
  { observe, log, everyMs = lookAgainMs }: LedgerKeyParts,
): LedgerKeys {
  const first = readKeys()
  let inUse = prepare('LEDGER_KEY', first.key)
  /** The latest first. Rows of each of them may still be in the ledger. */
  let rotatedOut: readonly Prepared[] = []
  let fingerprints = toFingerprints(first)

  /** The process remembers its earlier keys, so a rotation without a restart needs no LEDGER_PREVIOUS_KEY. */
  function toFingerprints({ previousKey }: LedgerKeyTexts): Fingerprints {
    const previous = previousKey === undefined ? [] : [prepare('LEDGER_PREVIOUS_KEY', previousKey)]
    const others = new Map([...previous, ...rotatedOut].map(({ digest, fingerprint }) => [digest, fingerprint]))
    others.delete(inUse.digest)
    return [inUse.fingerprint, ...others.values()]
  }

  function rotate(texts: LedgerKeyTexts): void {
    const next = prepare('LEDGER_KEY', texts.key)
    if (texts.previousKey !== undefined) prepare('LEDGER_PREVIOUS_KEY', texts.previousKey)
    if (next.digest !== inUse.digest) {
      rotatedOut = [inUse, ...rotatedOut.filter(({ digest }) => digest !== inUse.digest)]
    }
    inUse = next
    fingerprints = toFingerprints(texts)
  }

  const readText = () => JSON.stringify(readKeys())
  const { stop } = watchSecret(JSON.stringify(first), readText, {
    name: 'LEDGER_KEY',
    everyMs,
    observe,
    log,
    onChange: (text) => rotate(JSON.parse(text)),
  })
  return { fingerprints: () => fingerprints, stop }
}

function prepare(name: string, key: string): Prepared {
  if (Buffer.byteLength(key) < minLedgerKeyBytes) {
    throw new SecretFault(`${name} must have at least ${minLedgerKeyBytes} bytes`)
  }
  return { digest: hash('sha256', key), fingerprint: createFingerprint(key) }
}
