/**
 * Loaded with `--import` into every candidate alike, so that no candidate knows it is measured: answers the bench's questions
 * over IPC. It costs nothing between two questions, except while the stalls of the event loop are watched.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import v8 from 'node:v8'
import vm from 'node:vm'

export type Question = 'cpu' | 'memory' | 'watch-stalls' | 'longest-stall'

export interface MemoryAnswer {
  readonly heapUsedBytes: number
  readonly rssBytes: number
  readonly handles: number
}

/** A stall is seen as what exceeds this interval, between two firings of a timer. */
const watchIntervalMs = 1

/** For one variant alone, as the service itself has no setting for it. */
const synchronous = process.env.BENCH_SQLITE_SYNCHRONOUS
if (synchronous !== undefined) await replaceSynchronous(synchronous)

async function replaceSynchronous(mode: string): Promise<void> {
  const { DatabaseSync } = await import('node:sqlite')
  const { exec } = DatabaseSync.prototype
  DatabaseSync.prototype.exec = function (sql) {
    return exec.call(this, sql.replace('synchronous = FULL', `synchronous = ${mode}`))
  }
}

let stalls: ReturnType<typeof monitorEventLoopDelay> | undefined
let collectGarbage: (() => void) | undefined

function answer(question: Question): unknown {
  switch (question) {
    case 'cpu':
      return process.cpuUsage()
    case 'memory': {
      forceGarbageCollection()
      const { heapUsed, rss } = process.memoryUsage()
      const handles = process.getActiveResourcesInfo().length
      return { heapUsedBytes: heapUsed, rssBytes: rss, handles } satisfies MemoryAnswer
    }
    case 'watch-stalls':
      stalls?.disable()
      stalls = monitorEventLoopDelay({ resolution: watchIntervalMs })
      stalls.enable()
      return true
    case 'longest-stall': {
      const longestMs = Math.max(0, (stalls?.max ?? 0) / 1e6 - watchIntervalMs)
      stalls?.disable()
      stalls = undefined
      return longestMs
    }
  }
}

/** What is left afterwards is what is held; without this, growth would be the collector's mood. */
function forceGarbageCollection(): void {
  if (collectGarbage === undefined) {
    v8.setFlagsFromString('--expose-gc')
    collectGarbage = vm.runInNewContext('gc') as () => void
  }
  collectGarbage()
}

process.on('message', (message: { benchId?: number; question: Question }) => {
  if (message.benchId !== undefined) process.send?.({ id: message.benchId, value: answer(message.question) })
})
process.on('disconnect', () => process.exit())
// The channel must not keep a candidate alive that has nothing else to do.
process.channel?.unref()
