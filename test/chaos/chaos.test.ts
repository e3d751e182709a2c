/** The short form of both suites, with a seed that stays the same; `npm run chaos` is the long one, with a new seed each time. */
import t from 'tap'
import { hasRedisServer } from './redis-server.ts'
import { runSuite, type Suite } from './suite.ts'
import { makeRedisSuite, makeSqliteSuite } from './suites.ts'
import { summarise } from './summary.ts'

const seed = 20_260_101

// Side by side, as both mostly wait. It takes some ten seconds, but the other tests have the machine, too.
t.jobs = 2
t.setTimeout(120_000)
t.comment(`seed ${seed}: repeat with \`npm run chaos -- --short --seed ${seed}\``)

function testSuite(name: string, suite: Suite, skip: string | false): void {
  t.test(name, { skip, buffered: true }, async (t) => {
    const outcome = await runSuite(suite, (text) => t.comment(text))
    for (const line of summarise(suite, outcome)) t.comment(line)
    t.strictSame(outcome.broken, [], 'every promise is kept')
  })
}

testSuite('every promise is kept on a SQLite file, through kill -9', makeSqliteSuite(seed, true), false)
testSuite(
  'every promise is kept by three replicas, through kill -9 of one of them and of Redis',
  makeRedisSuite(seed, true),
  hasRedisServer() ? false : 'there is no redis-server on the PATH',
)
