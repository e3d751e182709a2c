import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { readRules } from '../../deploy/monitoring/documents.ts'
import { findFreePort } from '../fixtures/free-port.ts'
import { call, phoneFor, startTestService } from '../fixtures/service.ts'
import { skipWithout } from '../fixtures/tools.ts'
import { until } from '../fixtures/until.ts'

const monitoring = fileURLToPath(new URL('../../deploy/monitoring/', import.meta.url))

/** A real Prometheus with the committed configuration, but more often and with another target. */
async function startPrometheus(t: Test, target: string): Promise<(path: string) => Promise<unknown>> {
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'))
  const port = await findFreePort()
  const config = readFileSync(`${monitoring}prometheus.yml`, 'utf8')
    .replace('clients:3001', target)
    .replace('/etc/prometheus/rules.yaml', `${monitoring}rules.yaml`)
    .replaceAll(/(interval|timeout): \d+s/g, '$1: 1s')
  const file = join(folder, 'prometheus.yml')
  writeFileSync(file, config)
  const flags = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]
  const prometheus = spawn('prometheus', flags, { stdio: 'ignore' })
  t.teardown(async () => {
    const exit = prometheus.exitCode === null ? once(prometheus, 'exit') : undefined
    prometheus.kill('SIGTERM')
    await exit
    rmSync(folder, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${port}`
  await until(async () => {
    if (prometheus.exitCode !== null) throw new Error(`prometheus ended with ${prometheus.exitCode}`)
    return call(`${url}/-/ready`, 'GET', {}).then(
      ({ statusCode }) => statusCode === 200,
      () => false,
    )
  })
  return async (path) => (await call(`${url}/api/v1/${path}`, 'GET', {})).body.data
}

t.test(
  'a real Prometheus scrapes the service, loads every rule and answers a query',
  {
    skip: skipWithout('prometheus', '--version'),
  },
  async (t) => {
    const service = await startTestService(t)
    const ask = await startPrometheus(t, new URL(service.opsUrl).host)
    await service.create({ phone: phoneFor('000') })

    type Targets = { activeTargets: { health: string; labels: object; lastError: string }[] }
    const readTargets = async () => ((await ask('targets')) as Targets).activeTargets
    await until(async () => (await readTargets())[0]?.health === 'up')
    t.match(await readTargets(), [{ labels: { job: 'freedompay-clients' }, lastError: '' }])

    type Rules = { groups: { rules: { name: string; health: string; lastError?: string }[] }[] }
    const readLoaded = async () => ((await ask('rules')) as Rules).groups.flatMap(({ rules }) => rules)
    await until(async () => (await readLoaded()).every(({ health }) => health !== 'unknown'))
    const loaded = await readLoaded()
    t.strictSame(
      loaded.map(({ name }) => name).sort(),
      readRules()
        .map(({ alert, record }) => alert ?? record)
        .sort(),
    )
    t.strictSame(
      loaded.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => [name, lastError]),
      [],
    )

    type Query = { result: { value: [number, string] }[] }
    const query = encodeURIComponent('sum(clients_create_total{job="freedompay-clients",outcome="created"})')
    const read = async () => ((await ask(`query?query=${query}`)) as Query).result[0]?.value[1]
    await until(async () => (await read()) === '1')
    t.equal(await read(), '1')
  },
)
