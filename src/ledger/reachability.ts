/** Logs one line when the ledger becomes unreachable, and one line when the ledger can be reached again. */
import type { Logger } from 'pino'

export interface Reachability {
  noteDown(cause: unknown): void
  noteUp(): void
}

export function logReachability(log: Logger): Reachability {
  let isDown = false
  return {
    noteDown(err) {
      if (!isDown) log.error({ err }, 'the ledger cannot be reached')
      isDown = true
    },
    noteUp() {
      if (isDown) log.info('the ledger can be reached again')
      isDown = false
    },
  }
}
