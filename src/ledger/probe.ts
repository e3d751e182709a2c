/** Checks that the ledger can be written and belongs to our account. */
import type { Logger } from 'pino'
import { ForeignLedgerError, type Ledger } from './ledger.ts'

export interface Probe {
  /** The ledger. Every read and write of rows rejects until the ledger is known to belong to our account. */
  readonly ledger: Ledger
  /** Resolves if the ledger belongs to another account. A ledger that is reached late may turn out so after the start. */
  readonly foreign: Promise<ForeignLedgerError>
  /** @throws ForeignLedgerError. An unreachable ledger is no error here: later calls try again. */
  start(log: Pick<Logger, 'warn'>): Promise<void>
  /**
   * Rejects if the ledger cannot be written, or is not known to belong to our account. Asks the ledger at most once a second.
   */
  check(): Promise<void>
}

const checkEveryMs = 1000

export function createProbe(ledger: Ledger, account: string): Probe {
  const { promise: foreign, resolve: noteForeign } = Promise.withResolvers<ForeignLedgerError>()
  let isOurs = false
  let checkedAt = -Infinity
  let latest: Promise<void> = Promise.resolve()

  async function adopt(): Promise<void> {
    try {
      await ledger.adopt(account)
      isOurs = true
    } catch (error) {
      if (error instanceof ForeignLedgerError) noteForeign(error)
      throw error
    }
  }

  function whenOurs<Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) {
    return (...args: Args): Promise<Result> => (isOurs ? call(...args) : adopt().then(() => call(...args)))
  }

  return {
    ledger: {
      ...ledger,
      claim: whenOurs(ledger.claim),
      renew: whenOurs(ledger.renew),
      record: whenOurs(ledger.record),
      find: whenOurs(ledger.find),
      findByKey: whenOurs(ledger.findByKey),
      takeDue: whenOurs(ledger.takeDue),
      postpone: whenOurs(ledger.postpone),
      forgetOld: whenOurs(ledger.forgetOld),
      stats: whenOurs(ledger.stats),
      ...(ledger.countForAll && { countForAll: whenOurs(ledger.countForAll) }),
    },
    foreign,
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
      latest = whenOurs(ledger.probe)()
      // Each caller of `check` gets the rejection. Without this line an unread rejection would end the process.
      latest.catch(() => undefined)
      return latest
    },
  }
}
