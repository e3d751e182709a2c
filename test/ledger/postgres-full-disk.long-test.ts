/** A PostgreSQL whose volume is full: nothing is sent that could not be written, and the service goes on once there is room. */
import { chownSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { connectToPostgres, skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { call, phoneFor, startTestService, type TestService } from '../fixtures/service.ts'
import { mountSmallVolume, skipVolume } from '../fixtures/small-volume.ts'
import { until } from '../fixtures/until.ts'

const options = { buffered: true, skip: skipPostgres || skipVolume }
const ledgerKey = 'a ledger key of thirty-two bytes.'
t.jobs = 2
t.setTimeout(120_000)

const isReady = async ({ opsUrl }: TestService) => (await call(`${opsUrl}/readyz`, 'GET', {})).statusCode === 200

const sendsOf = ({ received }: TestService) => received.filter(({ path }) => path.endsWith('/add')).length

t.test('on a full volume of the tables no create is sent that was not claimed', options, async (t) => {
  const volume = mountSmallVolume(t, 8)
  const postgres = await startPostgres(t)
  const location = join(volume.folder, 'tables')
  mkdirSync(location)
  const { uid, gid } = statSync(postgres.folder)
  chownSync(location, uid, gid)
  const admin = await connectToPostgres(t, postgres.url)
  await admin.query(`CREATE TABLESPACE small LOCATION '${location}'`)
  await admin.query('ALTER ROLE ledger SET default_tablespace = small')
  const service = await startTestService(t, { settings: { LEDGER_URL: postgres.url, LEDGER_KEY: ledgerKey } })
  let count = 0
  const create = (key = `key-${count++}`) => service.create({ phone: phoneFor('567') }, { 'idempotency-key': key })
  t.match(await create('first'), { statusCode: 201 })

  volume.fill()
  // The pages that are there already take some more.
  const refused = await until(create, ({ statusCode }) => statusCode !== 201)
  t.match(refused, { statusCode: 503, body: { code: 'ledger-unavailable', safeToRetry: 'same-key-only' } })
  let sent = 0
  const before = sendsOf(service)
  for (let tries = 0; tries < 40; tries++) {
    const { statusCode, body } = await create()
    if (statusCode === 201) sent++
    else t.match({ statusCode, body }, { statusCode: 503, body: { code: 'ledger-unavailable' } })
  }
  t.equal(sendsOf(service) - before, sent, 'what was refused was not sent')
  t.comment(`${count} creates, ${sent} of the last 40 taken`)
  await until(
    () => isReady(service),
    (ready) => !ready,
  )
  t.match(await create('first'), { statusCode: 201, headers: { 'idempotency-status': 'replayed' } })

  volume.empty()
  await until(create, ({ statusCode }) => statusCode === 201)
  await until(() => isReady(service), Boolean)
})

t.test(
  'on a full volume of the write-ahead log nothing is sent, not even while PostgreSQL crashes',
  options,
  async (t) => {
    const volume = mountSmallVolume(t, 96)
    const folder = join(volume.folder, 'server')
    mkdirSync(folder)
    const settings = { wal_recycle: 'off', max_wal_size: '8MB', min_wal_size: '2MB', shared_buffers: '1MB' }
    const postgres = await startPostgres(t, { folder, walSegmentMb: 1, settings })
    const service = await startTestService(t, { settings: { LEDGER_URL: postgres.url, LEDGER_KEY: ledgerKey } })
    let count = 0
    const create = (key = `key-${count++}`) => service.create({ phone: phoneFor('567') }, { 'idempotency-key': key })
    t.match(await create('first'), { statusCode: 201 })

    volume.fill()
    // The segment that is there already takes some more.
    await until(create, ({ statusCode }) => statusCode !== 201)
    const before = sendsOf(service)
    let taken = 0
    for (let tries = 0; tries < 40; tries++) {
      const { statusCode, body } = await create()
      if (statusCode === 201) taken++
      else t.match({ statusCode, body }, { statusCode: 503, body: { code: 'ledger-unavailable' } })
    }
    t.equal(sendsOf(service) - before, taken, 'what was refused was not sent')
    t.comment(`${count} creates, ${taken} of the last 40 taken`)

    volume.empty()
    // A crash that needs room to recover ends it; an operator starts it again.
    await postgres.kill()
    await postgres.start()
    await until(create, ({ statusCode }) => statusCode === 201)
    await until(() => isReady(service), Boolean)
    t.match(await create('first'), { statusCode: 201, headers: { 'idempotency-status': 'replayed' } })
  },
)
