/** A suite in its short form, with a seed that stays the same; `npm run chaos` is the long form, with a new seed each time. */
import type { Test } from 'tap'
import { runSuite } from './suite.ts'
import { makeSuite, type SuiteName } from './suites.ts'
import { summarise } from './summary.ts'

const seed = 20_260_101

export function testSuite(t: Test, title: string, name: SuiteName, skip: string | false): void {
  t.test(title, { skip, buffered: true }, async (t) => {
    t.comment(`repeat with \`npm run chaos -- --short --only ${name} --seed ${seed}\``)
    const suite = makeSuite(name, seed, 'short')
    const outcome = await runSuite(suite, (text) => t.comment(text))
    for (const line of summarise(suite, outcome)) t.comment(line)
    t.strictSame(outcome.broken, [], 'every promise is kept')
  })
}
