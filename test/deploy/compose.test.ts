import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import { Settings } from '../../src/config/settings.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

interface Container {
  image: string
  ports?: string[]
  volumes?: string[]
  restart?: string
  mem_limit?: string
  cpus?: number
  environment?: Record<string, unknown>
  depends_on?: object
}
const { services, volumes } = parse(readFileSync(`${root}docker-compose.yml`, 'utf8'), { merge: true }) as {
  services: Record<string, Container>
  volumes: object
}

t.test('every container is limited, comes back by itself, and is reached from this machine alone', (t) => {
  for (const [name, { ports = [], restart, mem_limit, cpus }] of Object.entries(services)) {
    t.match({ restart, mem_limit, cpus }, { restart: 'unless-stopped', mem_limit: /^\d+m$/, cpus: Number }, name)
    for (const port of ports) t.match(port, /^127\.0\.0\.1:\d+:\d+$/, `${name} binds to the loopback`)
  }
  t.end()
})

t.test('every file that is mounted exists, every volume and every service that is named, too', (t) => {
  const names = new Set(Object.keys(services))
  for (const [name, container] of Object.entries(services)) {
    for (const volume of container.volumes ?? []) {
      const [source = ''] = volume.split(':')
      t.ok(source.startsWith('./') ? existsSync(`${root}${source}`) : source in volumes, `${name}: ${source}`)
    }
    const needed = Array.isArray(container.depends_on) ? container.depends_on : Object.keys(container.depends_on ?? {})
    for (const other of needed) t.ok(names.has(other), `${name} needs ${other}`)
  }
  t.end()
})

t.test('the service has the settings that exist, and one ledger', (t) => {
  const known = Object.keys(Settings.properties)
  const notYet = ['AUTH'].filter((name) => !known.includes(name))
  for (const name of ['clients', 'replica']) {
    const unknown = Object.keys(services[name]?.environment ?? {}).filter((key) => ![...known, ...notYet].includes(key))
    t.strictSame(unknown, [], name)
  }
  t.match(services.clients?.environment?.LEDGER_URL, /^postgres:\/\/.+@postgres:5432\//)
  t.end()
})
