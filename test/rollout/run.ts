/**
 * `npm run rollout [-- --from REVISION] [-- --rate N]`: this version is rolled out over itself, and then over the one before; exits 1
 * where a create failed, was sent twice, or did not become one client.
 */
import { parseArgs } from 'node:util'
import { runRollout, skipRollout } from './rollout.ts'
import { findVersionBefore, unpackVersion } from './version.ts'

const { values } = parseArgs({ options: { from: { type: 'string' }, rate: { type: 'string', default: '200' } } })
const perSecond = Number(values.rate)
if (!(perSecond > 0)) throw new Error('--rate must be a number of creates per second')
if (skipRollout !== false) throw new Error(skipRollout)
const revision = values.from ?? (await findVersionBefore())
if (revision === undefined) throw new Error('git knows no version before this one: name one with --from')

/** Each rollout takes some 20 s, more on a busy machine; whatever hangs must not hang for ever. */
const longestMs = 8 * 60_000
const pauseMs = 2000

setTimeout(() => {
  console.error(`The rollouts did not end within ${longestMs / 60_000} minutes`)
  process.exit(1)
}, longestMs).unref()

async function rollOut(name: string, from: string | undefined): Promise<boolean> {
  console.log(`\n${name}: ${perSecond} creates per second while three replicas are restarted one after another`)
  const say = (text: string) => console.log(`  ${text}`)
  const report = await runRollout({ perSecond, pauseMs, from, say })
  const { sent, failed, seconds, answers, sentTwice, p50Ms, p99Ms, longestMs: longest, faults } = report
  const told = Object.entries(answers).map(([answer, count]) => `${count} × ${answer}`)
  console.log(
    `  ${sent} creates in ${seconds.toFixed(1)} s, ${(sent / seconds).toFixed(0)} per second: ${told.join(', ')}`,
  )
  console.log(`  p50 ${p50Ms} ms, p99 ${p99Ms} ms, longest ${longest} ms; one in twenty takes 2 s at FreedomPay`)
  console.log(`  ${failed} failed, ${sentTwice} sent twice`)
  for (const fault of faults) console.log(`  BROKEN ${fault}`)
  return faults.length === 0
}

const isFirstKept = await rollOut('from this version to itself', undefined)
const before = await unpackVersion(revision)
try {
  const isSecondKept = await rollOut(`from ${revision} to this version`, before.program)
  process.exitCode = isFirstKept && isSecondKept ? 0 : 1
} finally {
  await before.remove()
}
