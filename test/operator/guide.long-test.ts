import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { guideFile, readExamples, refreshGuide, runExamples, withoutTimes } from '../fixtures/operator-guide.ts'

t.setTimeout(120_000)

t.test(
  'the operators’ guide shows what its commands really print; after a change: GUIDE=write npx tap test/operator/guide.test.ts',
  async (t) => {
    const examples = readExamples()
    t.ok(examples.length >= 6)
    const ran = await runExamples(
      t,
      examples.map(({ command }) => command),
    )
    if (process.env.GUIDE === 'write') writeFileSync(guideFile, refreshGuide(readFileSync(guideFile, 'utf8'), ran))
    else
      for (const [i, { command, output }] of ran.entries())
        t.equal(withoutTimes(examples[i]?.output ?? ''), withoutTimes(output), command)
  },
)
