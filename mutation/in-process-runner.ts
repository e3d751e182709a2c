/**
 * A test runner for Stryker that loads the test files anew for each mutant within one process. A process for each mutant, as
 * Stryker's own runner for tap has it, takes half a second of CPU; this one takes some milliseconds. Each run has modules and a
 * name space of its own, so what an earlier mutant left behind runs on as that mutant.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { readFileSync } from 'node:fs'
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
// Before @tapjs/test, which needs this one loaded. The package tap would tell Stryker's process of its time limits.
import '@tapjs/core'
import { Test, type TestOpts } from '@tapjs/test'

type Counts = Record<string, number>

/** What Stryker's instrumented source reads and writes: globalThis.__stryker__. */
interface NameSpace {
  activeMutant?: string | undefined
  hitCount?: number
  hitLimit?: number | undefined
  mutantCoverage?: { static: Counts; perTest: Record<string, Counts> }
  readonly currentTestId?: string | undefined
}

interface Asked {
  readonly activeMutant?: { readonly id: string }
  readonly hitLimit?: number
  /** The ids of the only tests that reach the mutant. */
  readonly testFilter?: readonly string[]
}

interface InProcessOptions {
  readonly testFiles: readonly string[]
  /** A test that takes longer never ends. Without one, Stryker's own limit ends the process of the whole run. */
  readonly testLimitMs?: number
}

interface TestResult {
  readonly id: string
  readonly name: string
  readonly timeSpentMs: number
  /** Stryker's TestStatus: 0 is success, 1 is failure. */
  readonly status: 0 | 1
  readonly failureMessage: string
}

type Body = (t: Test) => unknown

const world = globalThis as typeof globalThis & { __stryker__?: NameSpace; tapOfThisRun?: Test }
const currentTest = new AsyncLocalStorage<string>()
const sources = new Map<string, string>()
let run = 0

registerHooks({
  resolve(specifier, context, nextResolve) {
    const [, ofRun] = context.parentURL?.split('?run=') ?? []
    if (ofRun === undefined) return nextResolve(specifier, context)
    if (specifier === 'tap') {
      const url = `data:text/javascript,export default globalThis.tapOfThisRun // ${ofRun}`
      return { url, format: 'module', shortCircuit: true }
    }
    const resolved = nextResolve(specifier, context)
    const isOwn = resolved.url.endsWith('.ts') && !resolved.url.includes('/node_modules/')
    return isOwn ? { ...resolved, url: `${resolved.url}?run=${ofRun}` } : resolved
  },
  load(url, context, nextLoad) {
    const [file, ofRun] = url.split('?run=')
    if (file === undefined || ofRun === undefined) return nextLoad(url, context)
    let source = sources.get(file)
    if (source === undefined) {
      source = stripTypeScriptTypes(readFileSync(fileURLToPath(file), 'utf8'))
      sources.set(file, source)
    }
    return { format: 'module', source, shortCircuit: true }
  },
})

const timedOut = 'timed out'

function errorToText(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

class InProcessRunner {
  static inject = ['options'] as const
  private readonly testFiles: readonly string[]
  private readonly testLimitMs: number | undefined

  constructor({ inProcess }: { readonly inProcess: InProcessOptions }) {
    this.testFiles = inProcess.testFiles
    this.testLimitMs = inProcess.testLimitMs
  }

  capabilities() {
    return { reloadEnvironment: true }
  }

  async dryRun() {
    const { tests, nameSpace } = await this.runFiles({})
    return { status: 'complete', tests, mutantCoverage: nameSpace.mutantCoverage }
  }

  async mutantRun(asked: Asked) {
    const { tests, nameSpace } = await this.runFiles(asked)
    const { hitCount = 0 } = nameSpace
    if (asked.hitLimit !== undefined && hitCount > asked.hitLimit)
      return { status: 'timeout', reason: 'an endless loop' }
    const failed = tests.filter(({ status }) => status === 1)
    const [first] = failed
    if (first === undefined) return { status: 'survived', nrOfTests: tests.length }
    if (first.failureMessage === timedOut) return { status: 'timeout', reason: timedOut }
    const killedBy = failed.map(({ id }) => id)
    return { status: 'killed', killedBy, failureMessage: first.failureMessage, nrOfTests: tests.length }
  }

  private async runFiles(asked: Asked) {
    const nameSpace: NameSpace = {
      activeMutant: asked.activeMutant?.id,
      hitCount: 0,
      hitLimit: asked.hitLimit,
      get currentTestId() {
        return currentTest.getStore()
      },
    }
    world.__stryker__ = nameSpace
    // For the programs that a test starts.
    process.env.__STRYKER_ACTIVE_MUTANT__ = asked.activeMutant?.id ?? ''
    const tests: TestResult[] = []
    for (const file of this.testFiles) {
      if (tests.some(({ status }) => status === 1)) break
      await runFile(file, asked, tests, this.testLimitMs)
    }
    return { tests, nameSpace }
  }
}

/** Adds the results of the tests on the top level of the file. Once one has failed, the others do not begin. */
async function runFile(
  file: string,
  { testFilter }: Asked,
  results: TestResult[],
  testLimitMs: number | undefined,
): Promise<void> {
  // Modules of their own for each file, too, as each imports the tap of its own.
  run++
  const ofFile: TestOpts = { name: file }
  const tap = new Test(ofFile)
  world.tapOfThisRun = tap
  tap.resume()
  const ended = new Promise<{ ok: boolean }>((resolve) => tap.on('complete', resolve))
  const runTest = tap.test.bind(tap)
  let hasFailed = false
  let count = 0

  function addResult(id: string, startedAt: number, failure: string | undefined) {
    hasFailed ||= failure !== undefined
    const status = failure === undefined ? 0 : 1
    results.push({ id, name: id, timeSpentMs: performance.now() - startedAt, status, failureMessage: failure ?? '' })
  }

  async function runUnlessFailed(name: string, options: object, body: Body): Promise<unknown> {
    const id = `${file} ${++count} ${name}`
    if (testFilter !== undefined && !testFilter.includes(id)) return undefined
    const limited = testLimitMs === undefined ? options : { ...options, timeout: testLimitMs }
    return runTest(name, limited, async (t) => {
      if (hasFailed) return
      const startedAt = performance.now()
      t.on('complete', ({ ok }: { ok: boolean }) => {
        const failure = t.timedOut ? timedOut : 'failed'
        addResult(id, startedAt, ok ? undefined : failure)
      })
      await currentTest.run(id, () => body(t))
    })
  }

  Object.assign(tap, {
    test: (name: string, second: object | Body, third?: Body) =>
      third === undefined ? runUnlessFailed(name, {}, second as Body) : runUnlessFailed(name, second, third),
  })

  const before = results.length
  const startedAt = performance.now()
  const fail = (error: unknown) => addResult(`${file} outside of its tests`, startedAt, errorToText(error))
  process.on('uncaughtException', fail).on('unhandledRejection', fail)
  try {
    await import(`${pathToFileURL(resolve(file)).href}?run=${run}`)
    tap.end()
    const { ok } = await ended
    if (!ok && !hasFailed) fail('failed')
  } catch (error) {
    fail(error)
  } finally {
    process.off('uncaughtException', fail).off('unhandledRejection', fail)
  }
  shareTime(results, before, performance.now() - startedAt)
}

/** Tests that run together took less time than their sum, of which Stryker makes the time limit of a mutant. */
function shareTime(results: TestResult[], from: number, elapsedMs: number): void {
  const sum = results.slice(from).reduce((ms, { timeSpentMs }) => ms + timeSpentMs, 0)
  for (let i = from; i < results.length; i++) {
    const result = results[i] as TestResult
    results[i] = { ...result, timeSpentMs: (result.timeSpentMs / sum) * Math.min(sum, elapsedMs) }
  }
}

export const strykerPlugins = [{ kind: 'TestRunner', name: 'in-process', injectableClass: InProcessRunner }]
