/**
 * That no promise breaks in 3,000 drawn worlds, and that a world is made of its seed alone. In
 * processes of their own, as the test runner watches every promise of this one, which takes longer than all the worlds.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const program = new URL('run.ts', import.meta.url).pathname
/** Some ten times what it takes alone. */
const limitMs = 120_000

async function simulate(...options: string[]): Promise<{ isKept: boolean; report: string }> {
  try {
    const { stdout } = await run(process.execPath, ['--no-warnings', program, ...options])
    return { isKept: true, report: stdout }
  } catch (error) {
    return { isKept: false, report: String(Object(error).stdout || error) }
  }
}

t.setTimeout(limitMs)

t.test('no promise breaks in 3,000 worlds', async (t) => {
  const { isKept, report } = await simulate('--worlds', '3000')
  t.ok(isKept, report)
})

t.test('the same seed gives the same history, byte for byte, in 100 worlds', async (t) => {
  const { isKept, report } = await simulate('--worlds', '100', '--twice')
  t.ok(isKept, report)
})

t.test('each world that once broke a promise keeps all of them now', async (t) => {
  const { isKept, report } = await simulate('--old-finds')
  t.ok(isKept, report)
})
