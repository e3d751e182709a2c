/** In a file of its own, as it stops everything else in its process. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type LogLine, newClaim, openTestLedger, untilReachable } from '../fixtures/ledgers.ts'
import { skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'

/** More than the ledger waits for an answer. */
const stallMs = 2500

const engines = [
  { name: 'Redis', skip: skipRedis, start: (t: Test) => startRedis(t, { onDisk: false }) },
  { name: 'PostgreSQL', skip: skipPostgres, start: (t: Test) => startPostgres(t) },
]

for (const { name, skip, start } of engines) {
  t.test(`a process that stood still itself does not take its ${name} for dead`, { skip }, async (t) => {
    const server = await start(t)
    const logs: LogLine[] = []
    const ledger = await openTestLedger(t, server.url, undefined, logs)
    await untilReachable(ledger)
    // The first of its kind takes two round trips, as Redis has to learn the script.
    await ledger.claim(newClaim())
    logs.length = 0
    server.freeze()
    const claiming = ledger.claim(newClaim())
    for (let turn = 0; turn < 5; turn++) await nextTurn()
    server.thaw()
    for (const until = performance.now() + stallMs; performance.now() < until; );
    t.match(await claiming, { isClaimed: true })
    t.strictSame(logs, [])
  })
}
