/** What an engine keeps when its process dies, and what it says while it cannot be reached. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { findFreePort } from '../fixtures/free-port.ts'
import { postponement } from '../fixtures/ledger-rows.ts'
import {
  callAll,
  type LogLine,
  makeLedgerFile,
  newClaim,
  openRedisLedger,
  openTestLedger,
  untilAllAnswer,
  untilReachable,
} from '../fixtures/ledgers.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'
import { until } from '../fixtures/until.ts'

// They mostly wait, so they may do it together.
t.jobs = 10

const writer = fileURLToPath(new URL('../fixtures/ledger-writer.ts', import.meta.url))

t.test('a SQLite file has every row that was written before its process was killed', { buffered: true }, async (t) => {
  const path = makeLedgerFile(t)
  const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const exit = once(child, 'exit')
  const written: string[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    // The last line may be cut off by the kill.
    if (line.length === 36) written.push(line)
    if (written.length === 200) child.kill('SIGKILL')
  })
  await once(lines, 'close')
  const [, signal] = await exit
  t.equal(signal, 'SIGKILL')
  t.ok(written.length >= 200)

  const ledger = await openTestLedger(t, `sqlite:${path}`)
  for (const requestId of written) {
    const row = await ledger.find(requestId)
    if (row?.clientId !== requestId || row.state !== 'created') t.fail(`${requestId}: ${JSON.stringify(row)}`)
  }
  t.equal((await ledger.claim(newClaim())).isClaimed, true, 'and it goes on')
})

t.test('what a claim wrote is there for the next process on the same SQLite file', { buffered: true }, async (t) => {
  const path = makeLedgerFile(t)
  const claim = newClaim({ deadlineMs: 1 })
  const first = await openTestLedger(t, `sqlite:${path}`)
  await first.claim(claim)
  await first.close()
  const { isClaimed, row } = await (await openTestLedger(t, `sqlite:${path}`)).claim(claim)
  t.match({ isClaimed, row }, { isClaimed: false, row: { state: 'sent', claims: 1 } }, 'it is not free to send')
})

t.test('a Redis that is killed and started again has kept its rows', { buffered: true, skip: skipRedis }, async (t) => {
  const redis = await startRedis(t)
  const logs: LogLine[] = []
  const ledger = await openRedisLedger(t, redis.url, undefined, logs)
  const created = newClaim()
  const unknown = newClaim()
  const sent = newClaim()
  for (const claim of [created, unknown, sent]) await ledger.claim(claim)
  await ledger.record(created.requestId, created.claimToken, { state: 'created', clientId: 'client-1' })
  await ledger.record(unknown.requestId, unknown.claimToken, { state: 'unknown' })
  await redis.kill()
  await redis.start()
  await untilReachable(ledger)

  t.match(await ledger.find(created.requestId), { state: 'created', clientId: 'client-1' })
  t.match(await ledger.claim(sent), { isClaimed: false, row: { state: 'sent' } })
  await ledger.postpone(postponement(unknown))
  t.match(await ledger.takeDue(60_000, 10), [{ requestId: unknown.requestId }])
  t.equal((await ledger.stats()).unresolved, 1)
})

const outages = [
  {
    name: 'is gone',
    begin: (redis: Awaited<ReturnType<typeof startRedis>>) => redis.kill(),
    end: (redis: Awaited<ReturnType<typeof startRedis>>) => redis.start(),
  },
  {
    name: 'stands still',
    begin: async (redis: Awaited<ReturnType<typeof startRedis>>) => redis.freeze(),
    end: async (redis: Awaited<ReturnType<typeof startRedis>>) => redis.thaw(),
  },
]

for (const { name, begin, end } of outages) {
  t.test(
    `while Redis ${name} every method rejects, and afterwards each works`,
    { buffered: true, skip: skipRedis },
    async (t) => {
      const redis = await startRedis(t)
      const logs: LogLine[] = []
      const ledger = await openRedisLedger(t, redis.url, undefined, logs)
      const claim = newClaim()
      await ledger.claim(claim)
      await begin(redis)
      for (const round of ['first', 'second']) {
        t.strictSame(await callAll(ledger), ['rejected'], `${round} round`)
      }
      await end(redis)
      await untilReachable(ledger)
      t.strictSame(await untilAllAnswer(ledger), ['fulfilled'])
      t.match(await ledger.find(claim.requestId), { state: 'sent', claims: 1 }, 'nothing is lost')
      await until(
        () => logs.length,
        (count) => count >= 2,
      )
      t.strictSame(
        logs.map(({ level, msg }) => [level, msg]),
        [
          ['error', 'the ledger cannot be reached'],
          ['info', 'the ledger can be reached again'],
        ],
        'said once each',
      )
    },
  )
}

t.test('a ledger whose Redis stands still can be closed', { buffered: true, skip: skipRedis }, async (t) => {
  const redis = await startRedis(t)
  const ledger = await openRedisLedger(t, redis.url)
  redis.freeze()
  const waiting = t.rejects(ledger.claim(newClaim()))
  await ledger.close()
  await waiting
  redis.thaw()
  await t.rejects(ledger.probe(), 'and stays closed')
})

t.test(
  'a ledger whose Redis was never there rejects, and can be closed',
  { buffered: true, skip: skipRedis },
  async (t) => {
    const logs: LogLine[] = []
    const ledger = await openTestLedger(t, `redis://127.0.0.1:${await findFreePort()}`, undefined, logs)
    await t.rejects(ledger.claim(newClaim()))
    await until(
      () => logs.length,
      (count) => count > 0,
    )
    await ledger.close()
    t.strictSame(
      logs.map(({ msg }) => msg),
      ['the ledger cannot be reached'],
    )
  },
)
