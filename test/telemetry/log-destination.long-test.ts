import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Pool } from 'undici'
import { messages } from '../fixtures/log-messages.ts'
import { startTestService } from '../fixtures/service.ts'

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))

t.test('lines that nobody reads are dropped beyond a size, and the exit does not wait for them', async (t) => {
  // A shell's pipe and not Node's, which is a socket.
  const child = spawn('sh', ['-c', `"${process.execPath}" "${pathOf('../fixtures/flood-log.ts')}" | sleep 20`], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  t.teardown(() => process.kill(-(child.pid as number), 'SIGKILL'))
  const [said] = await once(child.stderr, 'data')
  const { lines, droppedLines, settledMs } = JSON.parse(String(said))
  t.ok(droppedLines > lines / 2 && droppedLines < lines, `${droppedLines} of ${lines} lines are dropped`)
  t.ok(settledMs < 5000)
})

t.test('a slow reader gets every line, whole and in order', async (t) => {
  const script = `"${process.execPath}" "${pathOf('../fixtures/write-log.ts')}" | (sleep 0.3; cat)`
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = (await text(child.stdout)).trimEnd().split('\n')
  t.strictSame(
    lines.map((line) => JSON.parse(line).msg),
    messages,
  )
})

t.test('a program whose log nobody reads stops all the same', async (t) => {
  const child = spawn(process.execPath, [pathOf('../../src/main.ts')], {
    env: { PORT: '0', OPS_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const errors = text(child.stderr)
  let said = ''
  while (!said.includes('"ready"')) said += String((await once(child.stdout, 'data'))[0])
  child.stdout.pause()
  const { url } = JSON.parse(said.split('\n').find((line) => line.includes('"ready"')) as string)
  const pool = new Pool(url, { connections: 20 })
  t.teardown(() => pool.destroy())
  const get = async () => (await pool.request({ path: '/nowhere', method: 'GET' })).body.dump()
  for (let i = 0; i < 200; i++) await Promise.all(Array.from({ length: 20 }, get))
  await pool.close()
  child.kill('SIGTERM')
  const [code] = (await Promise.race([once(child, 'exit'), pause(20_000, ['it hangs'], { ref: false })])) as unknown[]
  t.equal(code, 0)
  child.stdout.destroy()
  t.equal(await errors, '')
})

t.test('the number of lines that were dropped is a metric', async (t) => {
  const service = await startTestService(t)
  t.equal((await service.metrics()).get('log_lines_dropped_total'), 0)
})

t.test('lines are JSON where standard output is no terminal', async (t) => {
  const env = { PORT: '0', OPS_PORT: '0', npm_lifecycle_event: 'start' }
  const child = spawn(process.execPath, [pathOf('../../src/main.ts')], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [said] = await once(child.stdout, 'data')
  t.match(JSON.parse(String(said).split('\n')[0] as string), { service: 'freedompay-clients', level: 'warn' })
})
