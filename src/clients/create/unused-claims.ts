/**
 * Claims under which FreedomPay has taken nothing, while the ledger could not be told. Only this process knows. Without this file the
 * row would stay `sent`: the key would be refused until the claim ends, and with PARTNER_RESEND=false for good.
 *
 * Of some of these claims the answer did not come. The ledger may have taken such a claim, or may still take the claim: a database
 * that stood still goes on with the statements that have reached it. So the claim is made once more, under its own token, before the
 * row is recorded as what it is without a send. When the ledger has answered the repeated claim, the first one has no effect any more:
 * either the row has its token already, or the row stands under another token for good. So no time has to be waited for, however
 * late the first one arrives.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Ledger } from '../../ledger/ledger.ts'
import { limitTime } from '../../ledger/time-limit.ts'

export interface UnusedClaim {
  readonly requestId: string
  readonly claimToken: string
  /** Makes the same claim, new or renewed; undefined: the ledger has answered the claim. */
  readonly repeat?: () => Promise<unknown>
  /** The state of the row without this claim. */
  readonly state: 'not-created' | 'unknown'
}

export interface UnusedClaimsLog {
  info(fields: Record<string, unknown>, message: string): void
  warn(fields: Record<string, unknown>, message: string): void
}

interface Kept extends UnusedClaim {
  readonly giveUpAt: number
}

const pauseMs = 500
/** So few at once, because a ledger that has just come back has much to do. */
const atOnce = 16
/** Bounds the memory. Of a long outage the first claims are kept: later ones mostly do not reach the ledger. */
const mostKept = 10_000
/** A claim that the ledger refuses again and again is given up in the end. */
const usualLongestMs = 600_000
/** How long a process that stops tries once more. */
const lastTryMs = 1000

export class UnusedClaims {
  private readonly ledger: Ledger
  private readonly log: UnusedClaimsLog
  private readonly longestMs: number
  private readonly kept = new Set<Kept>()
  private readonly stopping = new AbortController()
  private running: Promise<void> | undefined

  constructor(ledger: Ledger, log: UnusedClaimsLog, longestMs = usualLongestMs) {
    this.ledger = ledger
    this.log = log
    this.longestMs = longestMs
  }

  add(claim: UnusedClaim): void {
    if (this.kept.size >= mostKept) return
    this.kept.add({ ...claim, giveUpAt: performance.now() + this.longestMs })
    this.running ??= this.run()
  }

  /** Tries once more, but does not wait for a ledger that hangs. */
  async stop(): Promise<void> {
    this.stopping.abort()
    if (this.running === undefined) return
    await limitTime(this.running, lastTryMs, () => undefined).catch(() => undefined)
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping
    while (this.kept.size > 0) {
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined)
      while (await this.giveSomeBack());
      if (signal.aborted) break
    }
    this.running = undefined
  }

  /** True if the ledger answers and there are more. */
  private async giveSomeBack(): Promise<boolean> {
    const some = [...this.kept.values().take(atOnce)]
    const areBack = await Promise.all(some.map((one) => this.tryToGiveBack(one)))
    return areBack.includes(true) && this.kept.size > 0
  }

  private async tryToGiveBack(claim: Kept): Promise<boolean> {
    const { requestId, claimToken, repeat, state, giveUpAt } = claim
    this.kept.delete(claim)
    try {
      await repeat?.()
      // Refused if another request holds the claim now.
      const recorded = await this.ledger.record(requestId, claimToken, { state })
      if (recorded?.was !== undefined) this.log.info({ requestId, state }, 'a claim that was not used is given back')
      return true
    } catch (err) {
      if (performance.now() < giveUpAt) this.kept.add(claim)
      else this.log.warn({ requestId, err }, 'a claim that was not used could not be given back')
      return false
    }
  }
}
