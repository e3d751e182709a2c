/** The short form: one rollout over the version before, at a rate that every machine carries; `npm run rollout` is the whole. */
import t from 'tap'
import { runRollout, skipRollout } from './rollout.ts'
import { findVersionBefore, unpackVersion } from './version.ts'

// Seconds alone, but other test files share the machine.
t.setTimeout(150_000)

t.test('a rollout over the version before fails no create and sends none twice', { skip: skipRollout }, async (t) => {
  const revision = await findVersionBefore()
  const before = revision === undefined ? undefined : await unpackVersion(revision)
  if (before !== undefined) t.teardown(before.remove)
  t.comment(`from ${revision ?? 'this version, as git knows none before it'}`)
  const say = (text: string) => t.comment(text)
  const { sent, failed, sentTwice, faults } = await runRollout({
    perSecond: 20,
    pauseMs: 200,
    from: before?.program,
    say,
  })
  t.strictSame(faults, [])
  t.match({ failed, sentTwice }, { failed: 0, sentTwice: 0 })
  t.comment(`${sent} creates`)
})
