import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { findFreePort } from '../fixtures/free-port.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'
import { call, phoneFor, startTestService, type TestService } from '../fixtures/service.ts'

const hasNginx = spawnSync('nginx', ['-v']).status === 0
const skip = hasNginx ? skipRedis : 'nginx is not on the PATH, so nothing was tested behind a gateway'
const ledgerKey = 'a-ledger-key-of-at-least-32-bytes-for-tests'

/** The gateway of docker-compose.yml, its own configuration, in front of replicas on this machine. */
async function startGateway(t: Test, replicas: readonly TestService[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'))
  const port = await findFreePort()
  const servers = replicas.map(({ url }) => `server ${new URL(url).host};`).join('\n')
  const config = readFileSync(new URL('../../deploy/compose/nginx.conf', import.meta.url), 'utf8')
    .replace('server replica:3000;', servers)
    .replace('listen 8080;', `listen 127.0.0.1:${port};`)
  writeFileSync(join(folder, 'nginx.conf'), `pid ${folder}/nginx.pid;\n${config}`)
  const gateway = spawn('nginx', ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' })
  t.teardown(async () => {
    await end(gateway)
    rmSync(folder, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${port}`
  while (!(await isUp(url))) {
    if (gateway.exitCode !== null) throw new Error(`nginx ended with ${gateway.exitCode}`)
    await pause(20)
  }
  return url
}

async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null) return
  const exit = once(process, 'exit')
  process.kill('SIGTERM')
  await exit
}

async function isUp(url: string): Promise<boolean> {
  try {
    const { statusCode, body } = await request(`${url}/openapi.json`, { reset: true })
    await body.dump()
    return statusCode === 200
  } catch {
    return false
  }
}

t.test('three replicas behind one address create one client for one key, whoever is asked', { skip }, async (t) => {
  const redis = await startRedis(t, { onDisk: false })
  const settings = { LEDGER_URL: redis.url, LEDGER_KEY: ledgerKey }
  const first = await startTestService(t, { settings })
  const others = [1, 2].map(() => startTestService(t, { settings, partnerUrl: first.sandboxUrl }))
  const replicas = [first, ...(await Promise.all(others))]
  const url = await startGateway(t, replicas)
  const create = (key: string, phone: string) =>
    call(
      `${url}/clients`,
      'POST',
      { 'content-type': 'application/json', 'idempotency-key': key },
      JSON.stringify({ phone }),
    )

  const answers = await Promise.all(Array.from({ length: 12 }, () => create('one', phoneFor('001'))))
  const statusCodes = new Set(answers.map(({ statusCode }) => statusCode))
  t.ok(
    [...statusCodes].every((code) => code === 201 || code === 409),
    'created, or being worked on elsewhere',
  )
  t.ok(statusCodes.has(201))
  t.equal(first.received.filter(({ path }) => path.endsWith('/add')).length, 1, 'one create was sent')

  const again = await create('one', phoneFor('001'))
  t.match(again, { statusCode: 201, headers: { 'idempotency-status': 'replayed' } })
  t.strictSame(
    first.sandbox.clients().map(({ clientId }) => clientId),
    [again.body.clientId],
  )

  const { headers } = again
  const read = await call(`${url}${headers.location}`, 'GET', {})
  t.match(read, { statusCode: 200, body: { status: 'created', clientId: again.body.clientId } })
})
