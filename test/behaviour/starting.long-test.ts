/** A service that starts beside a ledger that takes connections and does not answer. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { findFreePort } from '../fixtures/free-port.ts'
import { startPartner, startProgram } from '../fixtures/program.ts'
import { call } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

/** Takes every connection and says nothing. */
async function startSilent(t: Test): Promise<{ port: number; connected: Promise<unknown> }> {
  const sockets = new Set<Socket>()
  const port = await findFreePort()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port, connected: once(server, 'connection') }
}

for (const scheme of ['redis', 'postgres']) {
  t.test(
    `${scheme}: /livez and /readyz answer before the ledger does, and the service starts without it`,
    async (t) => {
      const { settings } = await startPartner(t)
      const { port } = await startSilent(t)
      const opsPort = await findFreePort()
      const program = startProgram(t, {
        ...settings,
        OPS_PORT: String(opsPort),
        LEDGER_URL: `${scheme}://127.0.0.1:${port}`,
        LEDGER_KEY: 'a ledger key of thirty-two bytes.',
      })
      const ask = (path: string) => call(`http://127.0.0.1:${opsPort}${path}`, 'GET', {}).catch(() => undefined)
      const first = await until(() => ask('/readyz'))
      t.match(first, { statusCode: 503, body: { status: 'unavailable', checks: { lifecycle: 'starting' } } })
      t.match(await ask('/livez'), { statusCode: 200 })
      t.match(await ask('/metrics'), { statusCode: 200 })

      await program.logged('ready')
      t.notMatch(
        program.logs.map(({ err }) => JSON.stringify(err)),
        [/Socket timeout/],
        'the start did not wait until the connection was given up',
      )
      t.match(await ask('/readyz'), {
        statusCode: 503,
        body: { checks: { lifecycle: 'ready', ledger: 'unreachable' } },
      })
      program.child.kill()
      t.match(await program.ended, { code: 0 })
    },
  )
}

t.test('a service that is told to stop while it waits for its ledger stops', async (t) => {
  const { settings } = await startPartner(t)
  const { port, connected } = await startSilent(t)
  const program = startProgram(t, {
    ...settings,
    LEDGER_URL: `redis://127.0.0.1:${port}`,
    LEDGER_KEY: 'a ledger key of thirty-two bytes.',
  })
  await connected
  program.child.kill()
  t.match(await program.ended, { code: 0, signal: null })
  t.notMatch(JSON.stringify(program.logs), /Socket timeout/, 'it did not wait until the connection was given up')
})

t.test('a host that is no address of this machine is a faulty setting', async (t) => {
  // RFC 5737: no machine has this address.
  const { code, errors } = await startProgram(t, { HOST: '192.0.2.1' }).ended
  t.equal(code, 78)
  t.match(errors, /^The settings are faulty:\n- HOST .*EADDRNOTAVAIL.*\n$/)
})
