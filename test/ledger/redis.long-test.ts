/** What only the Redis ledger has to bear: replicas, full and forgetful servers, and rows of earlier versions. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { bringTo, postponement, renewal } from '../fixtures/ledger-rows.ts'
import {
  connectTo,
  type LogLine,
  newClaim,
  newKeyedClaim,
  openRedisLedger,
  openTestLedger,
  untilReachable,
} from '../fixtures/ledgers.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'
import { until } from '../fixtures/until.ts'

const options = { buffered: true, skip: skipRedis }
// They mostly wait.
t.jobs = 5

t.test('a primary that became a replica is left, and the ledger works again by itself', options, async (t) => {
  const redis = await startRedis(t, { onDisk: false })
  const logs: LogLine[] = []
  const ledger = await openRedisLedger(t, redis.url, undefined, logs)
  const claim = newClaim()
  await ledger.claim(claim)
  const admin = await connectTo(t, redis.url)
  const ledgerIds = async (): Promise<string[]> =>
    String(await admin.sendCommand(['CLIENT', 'LIST'])).match(/\bid=\d+/g) ?? []
  const before = await ledgerIds()
  await admin.sendCommand(['REPLICAOF', '127.0.0.1', '1'])
  await t.rejects(ledger.claim(newClaim()), /READONLY/)
  await until(ledgerIds, (ids) => ids.some((id) => !before.includes(id)))
  t.pass('the connection is another')
  await until(
    () =>
      ledger.probe().then(
        () => 'written',
        (error: Error) => error.message,
      ),
    (said) => said.startsWith('READONLY'),
  )
  await admin.sendCommand(['REPLICAOF', 'NO', 'ONE'])
  await untilReachable(ledger)
  t.match(await ledger.claim(newClaim()), { isClaimed: true })
  t.match(await ledger.find(claim.requestId), { state: 'sent' })
})

t.test('a full Redis does not pass for one that can be written', options, async (t) => {
  const redis = await startRedis(t, { onDisk: false })
  const ledger = await openRedisLedger(t, redis.url)
  await t.resolves(ledger.probe())
  const admin = await connectTo(t, redis.url)
  await admin.configSet('maxmemory', '1mb')
  let isFull = false
  for (let i = 0; i < 100 && !isFull; i++) {
    isFull = await admin.set(`filler-${i}`, 'x'.repeat(65_536)).then(
      () => false,
      () => true,
    )
  }
  t.equal(isFull, true)
  await t.rejects(ledger.probe(), /OOM/)
  await t.rejects(ledger.claim(newClaim()), /OOM/)
  await admin.configSet('maxmemory', '0')
  await t.resolves(ledger.probe())
})

t.test('a Redis that may forget is warned of, and a good one is not', options, async (t) => {
  const cases = [
    { onDisk: true, policy: 'noeviction', expected: [] },
    { onDisk: false, policy: 'noeviction', expected: [/append-only/] },
    { onDisk: true, policy: 'allkeys-lru', expected: [/evicts/] },
    { onDisk: false, policy: 'allkeys-lru', expected: [/append-only/, /evicts/] },
  ]
  for (const { onDisk, policy, expected } of cases) {
    const redis = await startRedis(t, { onDisk })
    const admin = await connectTo(t, redis.url)
    await admin.configSet('maxmemory-policy', policy)
    const logs: LogLine[] = []
    const ledger = await openTestLedger(t, redis.url, undefined, logs)
    await untilReachable(ledger)
    await until(
      async () => String(await admin.sendCommand(['INFO', 'commandstats'])),
      (stats) => /cmdstat_info:calls=([3-9]|\d\d)/.test(stats),
    )
    // What it says comes with the answers before this one.
    await ledger.probe()
    const warnings = logs.filter(({ level }) => level === 'warn').map(({ msg }) => msg)
    t.match(warnings, expected, `${onDisk} ${policy}`)
    t.equal(warnings.length, expected.length)
  }
})

t.test('rows of an earlier version are read on', options, async (t) => {
  const redis = await startRedis(t, { onDisk: false })
  const admin = await connectTo(t, redis.url)
  const now = Date.now()
  const prefix = '{freedompay-clients}:'
  const row = async (requestId: string, fields: Record<string, string | number>) => {
    const usual = { request_id: requestId, caller: 'caller', fingerprint: 'print', claims: 1, asks: 0, updated_at: now }
    await admin.hSet(`${prefix}request:${requestId}`, { ...usual, deadline_at: now - 5000, ...fields })
  }
  await row('key-1', { state: 'not-created' })
  await row('key-2', { state: 'unknown', partner_code: 'duplicate', asks: 3 })
  await row('key-3', { state: 'created', client_id: 'client-1' })
  await row('random', { state: 'rejected', partner_code: '1001', fingerprint: '' })
  await admin.zAdd(`${prefix}to-ask`, { value: 'key-2', score: now - 1000 })
  await admin.zAdd(`${prefix}unresolved`, { value: 'key-2', score: now - 5000 })

  const ledger = await openRedisLedger(t, redis.url)
  const common = { caller: 'caller', isInferred: false, doubts: 0, claimToken: '', mayHaveArrived: true }
  t.match(await ledger.find('key-1'), { ...common, state: 'not-created', keyId: 'key-1' })
  t.match(await ledger.findByKey('key-2'), {
    ...{ ...common, state: 'unknown' },
    ...{ isAcknowledged: true, partnerCode: undefined },
  })
  t.match(await ledger.findByKey('key-3'), { ...common, state: 'created', clientId: 'client-1' })
  t.match(await ledger.find('random'), { keyId: undefined, state: 'rejected', partnerCode: '1001' })
  t.equal((await ledger.stats()).unresolved, 1)
  t.match(await ledger.claim(newKeyedClaim({ keyId: 'key-1' })), { isClaimed: false, row: { requestId: 'key-1' } })
  t.match(await ledger.takeDue(60_000, 10), [{ requestId: 'key-2', asks: 4, isAcknowledged: true }])
  await ledger.postpone(postponement({ requestId: 'key-2', claimToken: '' }, { doubts: 1, takenAsks: 4, asks: 4 }))
  t.match(await ledger.find('key-2'), { doubts: 1, isAcknowledged: true })
  t.match(await ledger.renew(renewal({ requestId: 'key-1', claimToken: '' })), { claims: 2, keyId: 'key-1' })
  t.match(await ledger.renew(renewal({ requestId: 'key-2', claimToken: '' })), { claims: 2, isAcknowledged: true })
  t.match(await bringTo(ledger, newClaim(), 'created'), { state: 'created' })
})

t.test('the requests of a caller are counted for all replicas, in windows', options, async (t) => {
  const redis = await startRedis(t, { onDisk: false })
  const replicas = [await openRedisLedger(t, redis.url), await openRedisLedger(t, redis.url)]
  const [first, second] = replicas as [Ledger, Ledger]
  const minute = 60_000
  // A busy machine may not count within the limit of 200 ms. Each attempt has a caller of its own.
  await until(async () => {
    const caller = randomUUID()
    try {
      const counted = [await first.countForAll?.(caller, minute), await second.countForAll?.(caller, minute)]
      const endsInTime = counted.every((window) => window && window.endsInMs > 0 && window.endsInMs <= minute)
      return endsInTime && counted[0]?.count === 1 && counted[1]?.count === 2
    } catch {
      return false
    }
  })
  await until(
    () => second.countForAll?.('shortly', 1)?.catch(() => undefined),
    (counted) => counted?.count === 1,
  )
  redis.freeze()
  await t.rejects(async () => first.countForAll?.('billing', minute), /no answer from the ledger within 200 ms/)
  redis.thaw()
})
