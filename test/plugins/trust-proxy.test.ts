import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { toTrustProxy } from '../../src/config/convert.ts'
import { appParts } from '../fixtures/app-parts.ts'

/** What a route sees of the sender of a request, by the setting. */
async function start(t: Test, setting: string) {
  const faults: string[] = []
  const app = await buildApp({ ...appParts(), trustProxy: toTrustProxy(setting, faults) })
  t.strictSame(faults, [])
  t.teardown(() => app.close())
  app.get('/sender', { config: { access: 'public' } }, ({ ip, host, protocol }, reply) => {
    reply.send({ ip, host, protocol })
  })
  return async (remoteAddress: string, headers: Record<string, string>) => {
    const answer = await app.inject({ url: '/sender', remoteAddress, headers: { host: 'clients.example', ...headers } })
    return answer.json()
  }
}

const gateway = '10.0.0.7'
const stranger = '192.0.2.66'
const own = { host: 'clients.example', protocol: 'http' }

const rows: [setting: string, from: string, forwarded: Record<string, string>, seen: Record<string, string>][] = [
  ['false', gateway, { 'x-forwarded-for': '192.0.2.1' }, { ip: gateway, ...own }],
  ['false', '127.0.0.1', { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }, own],
  ['0', gateway, { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-host': 'evil.example' }, { ip: gateway, ...own }],
  ['1', gateway, { 'x-forwarded-for': '192.0.2.1' }, { ip: '192.0.2.1' }],
  ['1', gateway, { 'x-forwarded-for': '198.51.100.9, 192.0.2.1' }, { ip: '192.0.2.1' }],
  ['2', gateway, { 'x-forwarded-for': '198.51.100.9, 203.0.113.5, 192.0.2.1' }, { ip: '203.0.113.5' }],
  ['2', gateway, { 'x-forwarded-for': '192.0.2.1' }, { ip: '192.0.2.1' }],
  [gateway, gateway, { 'x-forwarded-for': '192.0.2.1' }, { ip: '192.0.2.1' }],
  [gateway, gateway, { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'a.example' }, { protocol: 'https' }],
  [gateway, gateway, { 'x-forwarded-for': '198.51.100.9, 192.0.2.1' }, { ip: '192.0.2.1' }],
  [gateway, gateway, { 'x-forwarded-for': `192.0.2.1, ${gateway}` }, { ip: '192.0.2.1' }],
  [gateway, stranger, { 'x-forwarded-for': gateway, 'x-forwarded-proto': 'https' }, { ip: stranger, ...own }],
  [gateway, stranger, { 'x-forwarded-for': `192.0.2.1, ${gateway}` }, { ip: stranger, ...own }],
  ['10.0.0.0/8, fd00::/8', 'fd00::1', { 'x-forwarded-for': `192.0.2.1, ${gateway}` }, { ip: '192.0.2.1' }],
  ['10.0.0.0/8', `::ffff:${gateway}`, { 'x-forwarded-for': '192.0.2.1' }, { ip: '192.0.2.1' }],
  ['uniquelocal', '11.0.0.1', { 'x-forwarded-for': '192.0.2.1' }, { ip: '11.0.0.1', ...own }],
  [gateway, gateway, { forwarded: 'for=192.0.2.1;host=evil.example;proto=https' }, { ip: gateway, ...own }],
  [gateway, gateway, { 'x-real-ip': '192.0.2.1', 'x-client-ip': '192.0.2.1' }, { ip: gateway, ...own }],
]

for (const [setting, from, forwarded, seen] of rows) {
  t.test(`TRUST_PROXY=${setting}: ${JSON.stringify(forwarded)} from ${from}`, async (t) => {
    const ask = await start(t, setting)
    t.match(await ask(from, forwarded), seen)
  })
}
