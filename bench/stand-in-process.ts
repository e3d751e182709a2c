/** Starts the stand-in partner and talks to it. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createAsk } from './ask.ts'
import { stopChild, watchOver } from './process.ts'
import type { CapturedCall, StandInCounts } from './stand-in.ts'

export interface StandIn {
  readonly url: string
  readCounts(): Promise<StandInCounts>
  setDelay(delayMs: number): Promise<void>
  /** What `act` made a candidate send, in order. */
  capture(act: () => Promise<void>): Promise<CapturedCall[]>
  stop(): Promise<void>
}

export async function startStandIn(): Promise<StandIn> {
  const child = fork(new URL('stand-in.ts', import.meta.url), { execArgv: [] })
  watchOver(child)
  const ask = createAsk(child, 'id')
  const [{ value: port }] = (await once(child, 'message')) as [{ value: number }]

  return {
    url: `http://127.0.0.1:${port}`,
    readCounts: () => ask({ ask: 'counts' }) as Promise<StandInCounts>,
    setDelay: async (delayMs) => {
      await ask({ ask: 'delay', delayMs })
    },
    capture: async (act) => {
      await ask({ ask: 'capture', on: true })
      await act()
      return (await ask({ ask: 'capture', on: false })) as CapturedCall[]
    },
    stop: () => stopChild(child),
  }
}
