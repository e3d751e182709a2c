import { execFile, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { phoneFor, startTestService } from './fixtures/service.ts'

interface Run {
  readonly code: number
  readonly printed: string
}

const runFile = promisify(execFile)

async function run(command: string, args: string[]): Promise<Run> {
  try {
    const { stdout } = await runFile(command, args)
    return { code: 0, printed: stdout }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, printed: `${stdout}${stderr}` }
  }
}

const programs: [file: string, command: string][] = [
  ['examples/create.ts', process.execPath],
  ['examples/create.sh', 'bash'],
  ['examples/create.py', 'python3'],
]
const tools: Record<string, string[]> = { 'examples/create.sh': ['curl', 'jq'], 'examples/create.py': ['python3'] }

for (const [file, command] of programs) {
  const missing = (tools[file] ?? []).filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
  const skip = missing.length > 0 && `not on the PATH: ${missing.join()}`
  t.test(`${file} creates one client, goes on with its key, and tells a rejection and a fault`, { skip }, async (t) => {
    const service = await startTestService(t, { settings: { CREATE_WAIT_MS: '0' } })
    const call = (phone: string, key: string) => run(command, [file, service.url, phone, key])

    const created = await call(phoneFor('567'), 'order-17')
    t.equal(created.code, 0, created.printed)
    const [client] = service.sandbox.clients()
    t.equal(created.printed, `created ${client?.requestId} ${client?.clientId}\n`)
    t.strictSame(await call(phoneFor('567'), 'order-17'), created, 'the same key gives the same answer')
    t.equal(service.sandbox.clients().length, 1)

    const later = await call(phoneFor('001'), 'order-18')
    t.match(later, { code: 0, printed: /^created / }, 'a 202 is followed to its end')
    const rejected = await call(phoneFor('002'), 'order-19')
    t.match(rejected, { code: 1, printed: /rejected.*The client was refused/ })
    t.match(await call('901234567', 'order-20'), { code: 1, printed: /invalid[\s\S]*\/phone must be a phone number/ })
    t.equal(service.sandbox.clients().length, 2)
  })
}

t.test('an example is read in a minute: under 40 lines', (t) => {
  for (const [file] of programs) t.ok(readFileSync(file, 'utf8').split('\n').length <= 40, file)
  t.end()
})
