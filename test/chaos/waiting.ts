/** Waiting for conditions, never for ever. */
import { setTimeout as sleep } from 'node:timers/promises'

const lookEveryMs = 20

/** Whether it came true in time. */
export async function until(look: () => boolean | Promise<boolean>, withinMs: number, everyMs = lookEveryMs) {
  for (const end = performance.now() + withinMs; ; await sleep(everyMs)) {
    if (await look()) return true
    if (performance.now() > end) return false
  }
}

export interface Progress {
  advance(): void
  /** Resolves once there are so many. */
  reach(count: number): Promise<void>
}

export function createProgress(): Progress {
  let count = 0
  const waiting = new Map<() => void, number>()
  return {
    advance() {
      count++
      for (const [resolve, at] of waiting) {
        if (count < at) continue
        waiting.delete(resolve)
        resolve()
      }
    },
    reach: (at) => (count >= at ? Promise.resolve() : new Promise((resolve) => waiting.set(resolve, at))),
  }
}
