/** Whether the ledger can be written, and whether it is ours. */
import type { Logger } from 'pino'
import { ForeignLedgerError, type Ledger } from './ledger.ts'

export interface Probe {
  /** The ledger, which takes no claim and gives no row until it is known to be ours. */
  readonly ledger: Ledger
  /** @throws ForeignLedgerError; a ledger that cannot be reached is waited for in the background */
  start(log: Pick<Logger, 'warn'>): Promise<void>
  /** Rejects where the ledger cannot be written, or is not known to be ours; asks at most once a second. */
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
        log.warn({ err }, 'the ledger cannot be reached yet; not ready until it can')
      }
    },
    check() {
      const now = performance.now()
      if (now - checkedAt < checkEveryMs) return latest
      checkedAt = now
      latest = write()
      // Each caller sees the fault; a check that is never asked for again must not end the process.
      latest.catch(() => undefined)
      return latest
    },
  }
}
