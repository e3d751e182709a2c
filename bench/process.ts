/** A candidate as a process of its own: started, asked, read and stopped by its pid. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { type Ask, createAsk } from './ask.ts'
import type { MemoryAnswer, Question } from './preload.ts'

/** Logs and ledgers of this run; gone with it. */
export const workFolder = new URL(`.work/${process.pid}/`, import.meta.url)
/** As `npm start` has it; everyone's, and filled by whoever starts first. */
const compileCache = new URL('compile-cache/', workFolder).pathname
const preload = new URL('preload.ts', import.meta.url).href
const startDeadlineMs = 30_000
const stopDeadlineMs = 10_000

export interface ProcessSpec {
  readonly name: string
  /** What node runs. */
  readonly entry: URL
  readonly env: Record<string, string>
  /** Answers 2xx when the process is ready; with `anyAnswer`, whatever it answers. */
  readonly readyUrl: string
  readonly anyAnswer: boolean
  /** Without it, nothing is loaded into the process and nothing can be asked: for start time and idle memory. */
  readonly preloaded: boolean
}

export interface MeasuredProcess {
  readonly startToReadyMs: number
  /** User and system time of all its threads, from the OS. */
  readCpuMicroseconds(): Promise<number>
  readMemory(): Promise<MemoryAnswer>
  readRssBytes(): number
  /** The highest resident memory since the start. */
  readPeakRssBytes(): number
  watchStalls(): Promise<void>
  readLongestStallMs(): Promise<number>
  stop(): Promise<void>
}

const running = new Set<ChildProcess>()

/** Any process that the bench has started, so that none outlives it. */
export function watchOver(child: ChildProcess): void {
  running.add(child)
  child.once('exit', () => running.delete(child))
}

let started = 0

export async function startProcess(spec: ProcessSpec): Promise<MeasuredProcess> {
  mkdirSync(workFolder, { recursive: true })
  started += 1
  const logFile = new URL(`${spec.name}-${started}.log`, workFolder)
  const log = openSync(logFile, 'w')
  const startedAt = performance.now()
  const child = spawn(process.execPath, [...(spec.preloaded ? ['--import', preload] : []), spec.entry.pathname], {
    // Nothing of the caller's environment but the path: settings come from the bench alone.
    env: { PATH: process.env.PATH ?? '', NODE_ENV: 'production', NODE_COMPILE_CACHE: compileCache, ...spec.env },
    stdio: ['ignore', log, log, spec.preloaded ? 'ipc' : 'ignore'],
  })
  closeSync(log)
  watchOver(child)

  async function stop(): Promise<void> {
    await stopChild(child)
    rmSync(logFile, { force: true })
  }

  try {
    await waitUntilReady(child, spec)
  } catch (error) {
    const tail = readFileSync(logFile, 'utf8').slice(-2000)
    await stop()
    throw new Error(`${spec.name} did not start:\n${tail}`, { cause: error })
  }
  return createMeasured(child, performance.now() - startedAt, stop)
}

function createMeasured(child: ChildProcess, startToReadyMs: number, stop: () => Promise<void>): MeasuredProcess {
  const askIt: Ask = child.channel
    ? createAsk(child, 'benchId')
    : async () => Promise.reject(new Error('not preloaded'))
  const ask = (question: Question) => askIt({ question })
  return {
    startToReadyMs,
    readCpuMicroseconds: async () => {
      // getrusage: the same counters as /proc/<pid>/stat, in microseconds instead of ticks of 10 ms.
      const { user, system } = (await ask('cpu')) as NodeJS.CpuUsage
      return user + system
    },
    readMemory: () => ask('memory') as Promise<MemoryAnswer>,
    readRssBytes: () => readStatusBytes(child, 'VmRSS'),
    readPeakRssBytes: () => readStatusBytes(child, 'VmHWM'),
    watchStalls: async () => {
      await ask('watch-stalls')
    },
    readLongestStallMs: () => ask('longest-stall') as Promise<number>,
    stop,
  }
}

function readStatusBytes(child: ChildProcess, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
  if (kibibytes === undefined) throw new Error(`no ${field} of process ${child.pid}`)
  return Number(kibibytes) * 1024
}

async function waitUntilReady(child: ChildProcess, { readyUrl, anyAnswer }: ProcessSpec): Promise<void> {
  const deadlineAt = performance.now() + startDeadlineMs
  while (performance.now() < deadlineAt) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`exited with ${child.exitCode ?? child.signalCode}`)
    }
    const statusCode = await readStatusCode(readyUrl)
    if (statusCode !== undefined && (anyAnswer || statusCode === 200)) return
    await wait(5)
  }
  throw new Error(`not ready after ${startDeadlineMs} ms`)
}

/** The status of a GET on a connection of its own; undefined while nobody listens. */
function readStatusCode(url: string): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  get(url, { agent: false }, (response) => {
    response.resume()
    resolve(response.statusCode)
  }).on('error', () => resolve(undefined))
  return promise
}

export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopDeadlineMs)
  await exited
  clearTimeout(timer)
}

/** The last net, for a run that failed or was interrupted half-way. */
export function leaveNothingBehind(): void {
  for (const child of running) child.kill('SIGKILL')
  rmSync(workFolder, { recursive: true, force: true })
}
