import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { limitMemory, skipCgroup } from '../fixtures/cgroup.ts'
import { startPartner } from '../fixtures/program.ts'
import { call } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const limitBytes = 512 * 2 ** 20
const documents = 64

// It mostly waits, and other test files share the machine.
t.setTimeout(150_000)

t.test('64 documents of 2 MiB in flight do not get the process killed in 512 MiB', { skip: skipCgroup }, async (t) => {
  const partner = await startPartner(t)
  const limit = limitMemory(t, limitBytes)
  // Under its limit from the first byte: the shell puts itself there, and becomes the service.
  const child = spawn('sh', ['-c', 'read go; exec "$0" "$1"', process.execPath, main], {
    env: { PORT: '0', OPS_PORT: '0', PARTNER_TIMEOUT_MS: '4000', REQUEST_DEADLINE_MS: '10000', ...partner.settings },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(async () => {
    const exit = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
    child.kill('SIGKILL')
    await exit
  })
  limit.add(child.pid ?? 0)
  child.stdin.end('go\n')
  const logs: Record<string, unknown>[] = []
  createInterface({ input: child.stdout }).on('line', (line) => logs.push(JSON.parse(line)))
  const ready = () => logs.find(({ msg }) => msg === 'ready')
  await until(() => ready() !== undefined || child.exitCode !== null)
  const url = String(ready()?.url)

  const document = Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.alloc(2 * 2 ** 20 - 9, 0x20)]).toString('base64')
  for (const round of ['1', '2']) {
    const answers = await Promise.all(
      Array.from({ length: documents }, (_, i) => {
        // 005: FreedomPay takes the body and says nothing, so every document stays in flight.
        const body = JSON.stringify({ phone: `+9989012${round}${String(i).padStart(2, '0').slice(-1)}005`, document })
        return call(`${url}/clients`, 'POST', { 'content-type': 'application/json' }, body).catch(String)
      }),
    )
    const codes = answers.map((answer) => (typeof answer === 'string' ? answer : answer.statusCode))
    t.strictSame([...new Set(codes)], [202], `round ${round}: each was sent, and none was cut`)
  }
  t.equal(child.signalCode, null, 'the kernel has not killed it')
  t.ok(limit.peakBytes() <= limitBytes)
  t.comment(`peak ${Math.round(limit.peakBytes() / 2 ** 20)} MiB`)
})
