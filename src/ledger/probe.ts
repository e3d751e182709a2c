/** Checks that the ledger can be written and belongs to our account. */
import type { Logger } from 'pino'
import { ForeignLedgerError, type Ledger } from './ledger.ts'

export interface Probe {
  /** The ledger. `claim` and `takeDue` reject until the ledger is known to belong to our account. */
  readonly ledger: Ledger
  /** @throws ForeignLedgerError. An unreachable ledger is no error here: later calls try again. */
  start(log: Pick<Logger, 'warn'>): Promise<void>
  /**
   * Rejects if the ledger cannot be written, or is not known to belong to our account. Asks the ledger at most once a second.
   */
  check(): Promise<void>
}

const checkEveryMs = 1000

export function createProbe(ledger: Ledger, account: string): Probe {
  let isOurs = false
  let checkedAt = -Infinity
  let latest: Promise<void> = Promise.resolve()

  async function adopt(): Promise<void> {
    await ledger.adopt(account)
    isOurs = true
  }

  async function write(): Promise<void> {
    if (!isOurs) await adopt()
    await ledger.probe()
  }

  async function whenOurs<T>(work: () => Promise<T>): Promise<T> {
    if (!isOurs) await adopt()
    return work()
  }

  return {
    ledger: {
      ...ledger,
      claim: (claim) => (isOurs ? ledger.claim(claim) : whenOurs(() => ledger.claim(claim))),
      takeDue: (leaseMs, limit) => whenOurs(() => ledger.takeDue(leaseMs, limit)),
    },
    async start(log) {
      try {
        await adopt()
      } catch (err) {
        if (err instanceof ForeignLedgerError) throw err
        log.warn({ err }, 'the ledger cannot be reached yet; the service is not ready until the ledger answers')
      }
    },
    check() {
      const now = performance.now()
      if (now - checkedAt < checkEveryMs) return latest
      checkedAt = now
      latest = write()
      // Each caller of `check` gets the rejection. Without this line an unread rejection would end the process.
      latest.catch(() => undefined)
      return latest
    },
  }
}
