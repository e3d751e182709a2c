/** A service on PostgreSQL: what its callers see of an outage and of a failover. */
import t from 'tap'
import { connectToPostgres, skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { call, phoneFor, startTestService, type TestService } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

const options = { buffered: true, skip: skipPostgres }
const ledgerKey = 'a ledger key of thirty-two bytes.'
t.jobs = 2
t.setTimeout(120_000)

const sentBy = ({ received }: TestService) => received.filter(({ path }) => path.endsWith('/add')).length
const isReady = async ({ opsUrl }: TestService) => (await call(`${opsUrl}/readyz`, 'GET', {})).statusCode === 200

t.test('while PostgreSQL is away nothing is sent, and afterwards the same key creates', options, async (t) => {
  const postgres = await startPostgres(t)
  const service = await startTestService(t, { settings: { LEDGER_URL: postgres.url, LEDGER_KEY: ledgerKey } })
  const create = (key: string) => service.create({ phone: phoneFor('001') }, { 'idempotency-key': key })
  const before = await create('before')
  t.match(before, { statusCode: 201 })
  await postgres.kill()
  for (let tries = 0; tries < 3; tries++) {
    t.match(await create('meanwhile'), { statusCode: 503, body: { code: 'ledger-unavailable' } })
    t.match(await service.get(String(before.headers.location)), { statusCode: 503 })
  }
  await until(
    () => isReady(service),
    (ready) => !ready,
  )
  t.equal(sentBy(service), 1)
  await postgres.start()
  await until(() => isReady(service), Boolean)
  t.match(await create('meanwhile'), { statusCode: 201 })
  t.match(await create('before'), { statusCode: 201, headers: { 'idempotency-status': 'replayed' } })
  t.equal(sentBy(service), 2)
})

t.test(
  'a key whose claim waited for the standby without an answer works again, also without resends',
  options,
  async (t) => {
    const primary = await startPostgres(t)
    const standby = await startPostgres(t, { standbyOf: primary })
    const settings = { LEDGER_URL: primary.url, LEDGER_KEY: ledgerKey, PARTNER_RESEND: 'false' }
    const service = await startTestService(t, { settings })
    const create = () => service.create({ phone: phoneFor('100') }, { 'idempotency-key': 'waited' })
    standby.freeze()
    t.match(await create(), { statusCode: 503, body: { code: 'ledger-unavailable', safeToRetry: 'same-key-only' } })
    t.equal(sentBy(service), 0)
    standby.thaw()
    const words = new Set<string>()
    const created = await until(create, ({ statusCode, body }) => {
      words.add(`${statusCode} ${body.code ?? body.status}`)
      return statusCode !== 503 && statusCode !== 409
    })
    t.match(created, { statusCode: 201, headers: { 'idempotency-status': 'new' } }, [...words].join())
    t.equal(sentBy(service), 1)
    const admin = await connectToPostgres(t, primary.url)
    t.strictSame((await admin.query('SELECT state, claims FROM ledger_request')).rows, [
      { state: 'created', claims: 2 },
    ])
  },
)

t.test('after a failover each key has created one client', options, async (t) => {
  const primary = await startPostgres(t)
  const standby = await startPostgres(t, { standbyOf: primary })
  const settings = {
    LEDGER_URL: `postgres://ledger@${primary.host},${standby.host}/postgres?target_session_attrs=read-write`,
    LEDGER_KEY: ledgerKey,
  }
  const first = await startTestService(t, { settings })
  const second = await startTestService(t, { settings, partnerUrl: first.sandboxUrl })
  const answers = new Map<string, number>()
  const clientIds = new Map<string, string>()
  let isOver = false

  /** Repeats each key at the other replica until it is created. */
  async function work(worker: number): Promise<void> {
    for (let i = 0; !isOver; i++) {
      const key = `${worker}-${i}`
      let clientId: string | undefined
      for (let tries = 0; clientId === undefined && tries < 200; tries++) {
        const service = (worker + tries) % 2 === 0 ? first : second
        const answer = await service.create({ phone: phoneFor('001') }, { 'idempotency-key': key })
        const word = `${answer.statusCode} ${answer.body.code ?? answer.body.status}`
        answers.set(word, (answers.get(word) ?? 0) + 1)
        if (answer.statusCode === 201) clientId = answer.body.clientId
        else await new Promise((resolve) => setTimeout(resolve, 50))
      }
      if (clientId === undefined) t.fail(`${key} was never created`)
      else clientIds.set(key, clientId)
    }
  }

  const workers = Array.from({ length: 8 }, (_, worker) => work(worker))
  await until(
    () => clientIds.size,
    (count) => count > 40,
  )
  await primary.kill()
  await until(
    () => answers.get('503 ledger-unavailable') ?? 0,
    (count) => count > 4,
  )
  await (await connectToPostgres(t, standby.url)).query('SELECT pg_promote()')
  const before = clientIds.size
  await until(
    () => clientIds.size,
    (count) => count > before + 60,
  )
  isOver = true
  await Promise.all(workers)
  t.comment(`${clientIds.size} keys: ${JSON.stringify(Object.fromEntries(answers))}`)
  const made = first.sandbox.clients().map((client) => client.clientId)
  t.strictSame(
    [...clientIds.values()].toSorted(),
    made.toSorted(),
    'each client once, and each of them was told to a caller',
  )
})
