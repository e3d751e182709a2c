/** Each secret is rotated in turn while creates come in. The service looks at its files every 10 s, so this takes a minute. */
import { hash } from 'node:crypto'
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { paths } from '../../src/partner/schema.ts'
import { type Credentials, createSigner, isSignedBy } from '../../src/partner/signature.ts'
import { listen } from '../fixtures/peer.ts'
import { phoneFor, startTestService } from '../fixtures/service.ts'
import { replies } from '../fixtures/stand-in-partner.ts'
import { until } from '../fixtures/until.ts'

/** FreedomPay with one good pair of credentials at a time. */
async function startPartner(t: Test, first: Credentials) {
  let sign = createSigner('jws', () => first)
  const refused: string[] = []
  const server = createServer(async (req, res) => {
    const body = await buffer(req)
    const isGood = isSignedBy(sign, req.url ?? '', body, req.headers)
    if (!isGood) refused.push(req.url ?? '')
    res.writeHead(isGood ? 200 : 401, { 'content-type': 'application/json' })
    res.end(JSON.stringify(req.url === paths.status ? replies.created('client-1') : replies.success))
  })
  const url = await listen(t, server, 'http')
  const accept = (credentials: Credentials) => {
    sign = createSigner('jws', () => credentials)
  }
  return { url, refused, accept }
}

/** A volume of Kubernetes: all files change at one moment, as a symbolic link is swapped. */
function createVolume(folder: string, files: Record<string, string>) {
  let version = 0
  let current = files
  const write = (changed: Record<string, string>) => {
    current = { ...current, ...changed }
    const name = `version-${++version}`
    mkdirSync(join(folder, name))
    for (const [file, text] of Object.entries(current)) writeFileSync(join(folder, name, file), text)
    symlinkSync(name, join(folder, 'next'))
    renameSync(join(folder, 'next'), join(folder, 'data'))
  }
  write({})
  return { write, pathOf: (file: string) => join(folder, 'data', file) }
}

const lineOf = (key: string) => `billing:${hash('sha256', key)}\n`
const ledgerKeyOf = (name: string) => `canary-ledger-key-${name}`.padEnd(32, '-')
const body = { phone: phoneFor('567') }
const before = { authId: '1', secretKey: 'canary-secret-before' }
const after = { authId: '2', secretKey: 'canary-secret-after' }
const later = { authId: '2', secretKey: 'canary-secret-later' }

async function start(t: Test) {
  const partner = await startPartner(t, before)
  const volume = createVolume(t.testdir({}), {
    keys: lineOf('canary-key-before'),
    auth: before.authId,
    secret: before.secretKey,
    ledger: ledgerKeyOf('before'),
    previous: ledgerKeyOf('earlier'),
  })
  const service = await startTestService(t, {
    partnerUrl: partner.url,
    level: 'trace',
    settings: {
      AUTH: 'api-key',
      API_KEYS_FILE: volume.pathOf('keys'),
      FREEDOMPAY_AUTH_ID: '',
      FREEDOMPAY_SECRET_KEY: '',
      FREEDOMPAY_AUTH_ID_FILE: volume.pathOf('auth'),
      FREEDOMPAY_SECRET_KEY_FILE: volume.pathOf('secret'),
      LEDGER_URL: `sqlite:${join(t.testdirName, 'ledger.db')}`,
      LEDGER_KEY_FILE: volume.pathOf('ledger'),
      LEDGER_PREVIOUS_KEY_FILE: volume.pathOf('previous'),
    },
  })
  return { partner, volume, service }
}

t.test('secrets are rotated under load, and no request fails', { timeout: 180_000 }, async (t) => {
  const { partner, volume, service } = await start(t)
  let apiKey = 'canary-key-before'
  const as = (key = apiKey) => ({ authorization: `Bearer ${key}` })
  const failed: string[] = []
  let created = 0
  let isOver = false
  const load = Array.from({ length: 4 }, async (_, worker) => {
    for (let i = 0; !isOver; i++) {
      // Every other create has a key, and comes again at once.
      const headers = { ...as(), ...(i % 2 === 0 ? { 'idempotency-key': `${worker}-${i}` } : {}) }
      for (let repetition = 0; repetition <= (i + 1) % 2; repetition++) {
        const answer = await service.create(body, headers)
        created++
        if (answer.statusCode !== 201) failed.push(answer.text)
      }
    }
  })
  const more = () => {
    const from = created
    return until(
      () => created,
      (count) => count > from + 20,
    )
  }
  const changes = (secret: string) => service.logs.filter((line) => line.secret === secret && line.level === 'info')
  const isTold = (secret: string, count: number) =>
    until(
      () => changes(secret).length,
      (told) => told === count,
    )

  await more()
  volume.write({ keys: lineOf('canary-key-before') + lineOf('canary-key-after') })
  await isTold('API_KEYS_FILE', 1)
  apiKey = 'canary-key-after'
  await more()

  // Ahead of the next look: FreedomPay refuses, and the files are read at once.
  volume.write({ auth: after.authId, secret: after.secretKey })
  partner.accept(after)
  await until(
    () => partner.refused.length,
    (count) => count > 0,
  )
  await isTold('FREEDOMPAY_SECRET_KEY', 1)
  await more()

  const keyed = { ...as(), 'idempotency-key': 'of-before' }
  t.equal((await service.create(body, keyed)).headers['idempotency-status'], 'new')
  volume.write({ ledger: ledgerKeyOf('after') })
  await isTold('LEDGER_KEY', 1)
  t.equal((await service.create(body, keyed)).headers['idempotency-status'], 'replayed')
  await more()
  isOver = true
  await Promise.all(load)
  t.strictSame(failed, [])

  // Without a refusal the look alone finds the new ones.
  const refusals = partner.refused.length
  volume.write({ secret: later.secretKey })
  await isTold('FREEDOMPAY_SECRET_KEY', 2)
  partner.accept(later)
  t.equal((await service.create(body, as())).statusCode, 201)
  t.equal(partner.refused.length, refusals)

  // Bad ones change nothing, and each is told once.
  volume.write({ keys: 'canary-no-line', secret: '', ledger: 'canary-short' })
  const secrets = ['API_KEYS_FILE', 'FREEDOMPAY_SECRET_KEY', 'LEDGER_KEY']
  const read = async (name: string) => {
    const metrics = await service.metrics()
    return secrets.map((secret) => metrics.get(`${name}{secret="${secret}"}`) ?? Number.NaN)
  }
  for (const readAt of await read('secret_read_timestamp_seconds')) t.ok(Date.now() / 1000 - readAt < 60)
  await until(
    () => read('secret_read_failed'),
    (flags) => flags.every((flag) => flag === 1),
  )
  t.equal((await service.create(body, as())).statusCode, 201)
  t.equal((await service.create(body, keyed)).headers['idempotency-status'], 'replayed')
  t.strictSame(
    service.logs
      .filter(({ level, secret }) => level === 'error' && secret !== undefined)
      .map(({ secret }) => secret)
      .sort(),
    secrets,
  )
  t.notMatch(JSON.stringify(service.logs), /canary/)
})
