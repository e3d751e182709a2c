/**
 * The keys of the body fingerprints. A key rotates without a restart, and fingerprints by earlier keys are still recognised.
 */
import { hash } from 'node:crypto'
import type { Logger } from 'pino'
import { lookAgainMs, type ObserveSecret, SecretFault, watchSecret } from '../../auth/watch-secret.ts'
import { Problem } from '../../problems/problem.ts'
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
  /** The same array until a key changes. */
  readonly fingerprints: () => Fingerprints
  /** Reads the keys now. Never rejects. */
  look(): Promise<unknown>
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
  let fingerprints = toFingerprints(preparePrevious(first))

  /** The process remembers its earlier keys, so a rotation without a restart needs no LEDGER_PREVIOUS_KEY. */
  function toFingerprints(previous: readonly Prepared[]): Fingerprints {
    const others = new Map([...previous, ...rotatedOut].map(({ digest, fingerprint }) => [digest, fingerprint]))
    others.delete(inUse.digest)
    return [inUse.fingerprint, ...others.values()]
  }

  function rotate(texts: LedgerKeyTexts): void {
    const next = prepare('LEDGER_KEY', texts.key)
    const previous = preparePrevious(texts)
    if (next.digest !== inUse.digest) {
      rotatedOut = [inUse, ...rotatedOut.filter(({ digest }) => digest !== inUse.digest)]
    }
    inUse = next
    fingerprints = toFingerprints(previous)
  }

  const readText = () => JSON.stringify(readKeys())
  const { look, stop } = watchSecret(JSON.stringify(first), readText, {
    name: 'LEDGER_KEY',
    everyMs,
    observe,
    log,
    onChange: (text) => rotate(JSON.parse(text)),
  })
  return { fingerprints: () => fingerprints, look, stop }
}

function preparePrevious({ previousKey }: LedgerKeyTexts): Prepared[] {
  return previousKey === undefined ? [] : [prepare('LEDGER_PREVIOUS_KEY', previousKey)]
}

function prepare(name: string, key: string): Prepared {
  if (Buffer.byteLength(key) < minLedgerKeyBytes) {
    throw new SecretFault(`${name} must have at least ${minLedgerKeyBytes} bytes`)
  }
  return { digest: hash('sha256', key), fingerprint: createFingerprint(key) }
}

/**
 * In a rotation another replica may use the new key some seconds before this process reads the key file again. So before a caller
 * hears that its key came with another body, the file is read, and the bodies are compared with the new key as well.
 */
export async function withLatestKeys<Result>(
  { fingerprints, look }: Pick<LedgerKeys, 'fingerprints' | 'look'>,
  attempt: (known: Fingerprints) => Promise<Result>,
): Promise<Result> {
  const known = fingerprints()
  try {
    return await attempt(known)
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'idempotency-key-reused') throw error
    await look()
    if (fingerprints() === known) throw error
    return await attempt(fingerprints())
  }
}
