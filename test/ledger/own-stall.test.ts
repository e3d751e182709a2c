/** In a file of its own, as it stops everything else in its process. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { type LogLine, newClaim, openTestLedger, untilReachable } from '../fixtures/ledgers.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'

/** More than the ledger waits for an answer. */
const stallMs = 2500

t.test('a process that stood still itself does not take its ledger for dead', { skip: skipRedis }, async (t) => {
  const redis = await startRedis(t, { onDisk: false })
  const logs: LogLine[] = []
  const ledger = await openTestLedger(t, redis.url, undefined, logs)
  await untilReachable(ledger)
  // The first of its kind takes two round trips, as Redis has to learn the script.
  await ledger.claim(newClaim())
  logs.length = 0
  redis.freeze()
  const claiming = ledger.claim(newClaim())
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  redis.thaw()
  for (const until = performance.now() + stallMs; performance.now() < until; );
  t.match(await claiming, { isClaimed: true })
  t.strictSame(logs, [])
})
