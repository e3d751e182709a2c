import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createFingerprint } from '../../../src/clients/create/idempotency-key.ts'
import { type LedgerKeyTexts, watchLedgerKeys } from '../../../src/clients/create/ledger-keys.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { phoneFor, startTestService } from '../../fixtures/service.ts'
import { until } from '../../fixtures/until.ts'

const body = { phone: phoneFor('567') }
const keyOf = (name: string) => `${name}-canary`.padEnd(32, '-')
const printsOf = (...names: string[]) => names.map((name) => createFingerprint(keyOf(name))(body))

function watch(t: Test, first: LedgerKeyTexts) {
  const logs: Record<string, unknown>[] = []
  const observed: boolean[] = []
  const keys = { now: first }
  const { fingerprints, stop } = watchLedgerKeys(() => keys.now, {
    everyMs: 1,
    observe: (_name, isRead) => void observed.push(isRead),
    log: createLogger('trace', { write: (line: string) => void logs.push(JSON.parse(line)) }),
  })
  t.teardown(stop)
  const prints = () => fingerprints().map((fingerprint) => fingerprint(body))
  return { keys, prints, logs, observed }
}

const isSame = (wanted: string[]) => (prints: string[]) => JSON.stringify(prints) === JSON.stringify(wanted)

t.test('the key of before a rotation is still recognised, by its setting and without one', async (t) => {
  const { keys, prints, logs } = watch(t, { key: keyOf('b'), previousKey: keyOf('a') })
  t.strictSame(prints(), printsOf('b', 'a'))
  keys.now = { key: keyOf('c'), previousKey: keyOf('a') }
  await until(prints, isSame(printsOf('c', 'a', 'b')))
  keys.now = { key: keyOf('c'), previousKey: keyOf('b') }
  await until(prints, isSame(printsOf('c', 'b')))
  keys.now = { key: keyOf('d'), previousKey: undefined }
  await until(prints, isSame(printsOf('d', 'c', 'b')))
  keys.now = { key: keyOf('c'), previousKey: keyOf('c') }
  await until(prints, isSame(printsOf('c', 'd', 'b')))
  t.equal(logs.length, 4)
  t.notMatch(JSON.stringify(logs), /canary/)
})

t.test('after several rotations in a row every earlier key is still recognised', async (t) => {
  const { keys, prints } = watch(t, { key: keyOf('a'), previousKey: undefined })
  keys.now = { key: keyOf('b'), previousKey: undefined }
  await until(prints, isSame(printsOf('b', 'a')))
  keys.now = { key: keyOf('c'), previousKey: undefined }
  await until(prints, isSame(printsOf('c', 'b', 'a')))
})

t.test('a key that is too short or unreadable leaves those in use, and is told once', async (t) => {
  const { keys, prints, logs, observed } = watch(t, { key: keyOf('a'), previousKey: undefined })
  for (const bad of [
    { key: 'canary', previousKey: undefined },
    { key: keyOf('b'), previousKey: 'canary' },
  ]) {
    keys.now = bad
    const before = observed.length
    await until(
      () => observed.slice(before),
      (seen) => seen.length >= 3 && seen.at(-1) === false,
    )
    t.strictSame(prints(), printsOf('a'))
  }
  t.match(logs, [{ fault: 'LEDGER_KEY must have at least 32 bytes' }, { fault: /^LEDGER_PREVIOUS_KEY must/ }])
  t.equal(logs.length, 2)
  t.notMatch(JSON.stringify(logs), /canary/)
})

t.test('there is no start with a key that is too short', async (t) => {
  t.throws(() => watch(t, { key: 'short', previousKey: undefined }), { name: 'SecretFault' })
})

t.test('a key that another replica has read first is read before a key counts as reused', async (t) => {
  const folder = t.testdir({ key: keyOf('a') })
  const file = join(folder, 'key')
  const settings = { LEDGER_URL: `sqlite:${join(folder, 'ledger.db')}`, LEDGER_KEY_FILE: file }
  const late = await startTestService(t, { settings })
  writeFileSync(join(folder, 'next'), keyOf('b'))
  renameSync(join(folder, 'next'), file)
  const early = await startTestService(t, { settings, partnerUrl: late.sandboxUrl })

  const headers = { 'idempotency-key': 'order-17' }
  const created = await early.create(body, headers)
  t.equal(created.headers['idempotency-status'], 'new')
  const repeated = await late.create(body, headers)
  t.match(repeated, { statusCode: 201, headers: { 'idempotency-status': 'replayed' } })
  t.equal(repeated.body.requestId, created.body.requestId)
  const other = await late.create({ phone: phoneFor('568') }, headers)
  t.match(other, { statusCode: 422, body: { code: 'idempotency-key-reused', requestId: created.body.requestId } })
})
