/** A PostgreSQL whose volume is full: nothing is sent that could not be written, and the service goes on once there is room. */
import { chownSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { connectToPostgres, skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { until } from '../fixtures/sandbox-caller.ts'
import { call, phoneFor, startTestService, type TestService } from '../fixtures/service.ts'
import { mountSmallVolume, skipVolume } from '../fixtures/small-volume.ts'

const options = { buffered: true, skip: skipPostgres || skipVolume }
const ledgerKey = 'a ledger key of thirty-two bytes.'
t.jobs = 2
t.setTimeout(120_000)

const isReady = async ({ opsUrl }: TestService) => (await call(`${opsUrl}/readyz`, 'GET', {})).statusCode === 200

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
  const sends = () => service.received.filter(({ path }) => path.endsWith('/add')).length
  const before = sends()
  for (let tries = 0; tries < 40; tries++) {
    const { statusCode, body } = await create()
    if (statusCode === 201) sent++
    else t.match({ statusCode, body }, { statusCode: 503, body: { code: 'ledger-unavailable' } })
  }
  t.equal(sends() - before, sent, 'what was refused was not sent')
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
