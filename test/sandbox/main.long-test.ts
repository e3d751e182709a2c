import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { paths } from '../../src/partner/schema.ts'
import { createSigner } from '../../src/partner/signature.ts'
import { sandboxCredentials } from '../../src/sandbox/credentials.ts'

const program = fileURLToPath(new URL('../../src/sandbox/main.ts', import.meta.url))

function startProgram(t: Test, env: Record<string, string>) {
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

async function readStartLine(child: ChildProcess & { stdout: Readable }): Promise<{ line: string; url: string }> {
  for await (const line of createInterface({ input: child.stdout })) return { line, url: JSON.parse(line).url }
  throw new Error('the program ended without a start line')
}

const requestId = '828cf71d-a447-4a67-a149-c1df8bc197ca'
const body = Buffer.from(JSON.stringify({ request_id: requestId, product_id: 1000, client: { phone: 998901234567 } }))

async function addClient(url: string, credentials = sandboxCredentials): Promise<number> {
  const headers = createSigner('jws', () => credentials)(paths.add, body)
  const answer = await request(url + paths.add, { method: 'POST', headers, body, reset: true })
  await answer.body.dump()
  return answer.statusCode
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`the sandbox says where it listens, works, and ends with 0 on ${signal}`, async (t) => {
    const child = startProgram(t, { SANDBOX_PORT: '0' })
    const ended = once(child, 'exit')
    const { line, url } = await readStartLine(child)
    t.match(line, /sandbox/)
    t.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
    t.equal(await addClient(url), 200)
    child.kill(signal)
    t.strictSame(await ended, [0, null])
  })
}

t.test('the sandbox takes the credentials of the environment, and never prints the secret', async (t) => {
  const credentials = { authId: '123456', secretKey: 'a-secret-of-the-test' }
  const env = { FREEDOMPAY_AUTH_ID: credentials.authId, FREEDOMPAY_SECRET_KEY: credentials.secretKey }
  const child = startProgram(t, { SANDBOX_PORT: '0', SANDBOX_HOST: 'localhost', ...env })
  const errors = text(child.stderr)
  const { line, url } = await readStartLine(child)
  t.match(url, /^http:\/\/localhost:/)
  t.equal(await addClient(url, credentials), 200)
  t.equal(await addClient(url), 401)
  child.kill()
  t.notMatch(line + (await errors), credentials.secretKey)
})

for (const port of ['65536', '-1', '4010.5', 'http', ' ']) {
  t.test(`the sandbox refuses the port ${JSON.stringify(port)} by name and exits 78`, async (t) => {
    const child = startProgram(t, { SANDBOX_PORT: port })
    const ended = once(child, 'exit')
    const output = Promise.all([text(child.stdout), text(child.stderr)])
    t.strictSame(await ended, [78, null])
    const [printed, errors] = await output
    t.equal(printed, '')
    t.match(errors, /SANDBOX_PORT/)
  })
}

t.test('the sandbox reads its settings from files, as the service does', async (t) => {
  const credentials = { authId: '123456', secretKey: 'a-secret-of-the-test' }
  const folder = t.testdir({ port: '0\n', secret: `${credentials.secretKey}\n`, repeats: 'accept\n' })
  const child = startProgram(t, {
    SANDBOX_PORT_FILE: join(folder, 'port'),
    SANDBOX_REPEATS_FILE: join(folder, 'repeats'),
    FREEDOMPAY_AUTH_ID: ` ${credentials.authId} `,
    FREEDOMPAY_SECRET_KEY_FILE: join(folder, 'secret'),
  })
  const { url } = await readStartLine(child)
  t.equal(await addClient(url, credentials), 200)
  t.equal(await addClient(url), 401)
  await addClient(url, credentials)
  const answer = await request(`${url}/sandbox/clients`, { reset: true })
  t.equal(((await answer.body.json()) as unknown[]).length, 2, 'a repetition is accepted')
})

t.test('the sandbox names all faults at once, and no value', async (t) => {
  const child = startProgram(t, {
    SANDBOX_PORT: 'port-of-call',
    SANDBOX_REPEATS: 'sometimes',
    SANDBOX_HOST: 'here',
    SANDBOX_HOST_FILE: '/nowhere/host',
    FREEDOMPAY_AUTH_ID: 'two\nlines',
    FREEDOMPAY_SECRET_KEY_FILE: '/nowhere/at/all',
  })
  const ended = once(child, 'exit')
  const errors = await text(child.stderr)
  t.strictSame(await ended, [78, null])
  const names = errors
    .split('\n')
    .filter((line) => line.startsWith('- '))
    .map((line) => line.split(' ')[1])
  t.strictSame(names.sort(), [
    'FREEDOMPAY_AUTH_ID',
    'FREEDOMPAY_SECRET_KEY_FILE',
    'SANDBOX_HOST',
    'SANDBOX_PORT',
    'SANDBOX_REPEATS',
  ])
  t.notMatch(errors, /port-of-call|sometimes|nowhere|lines|\bat .*:\d/)
})

t.test('the sandbox says that the port is taken, and exits 1', async (t) => {
  const { url } = await readStartLine(startProgram(t, { SANDBOX_PORT: '0' }))
  const child = startProgram(t, { SANDBOX_PORT: new URL(url).port })
  const ended = once(child, 'exit')
  const errors = text(child.stderr)
  t.strictSame(await ended, [1, null])
  t.match(await errors, /SANDBOX_PORT.*EADDRINUSE/)
})

t.test('the sandbox refuses an unknown SANDBOX_REPEATS by name and exits 78', async (t) => {
  const child = startProgram(t, { SANDBOX_PORT: '0', SANDBOX_REPEATS: 'maybe' })
  const ended = once(child, 'exit')
  const errors = text(child.stderr)
  t.strictSame(await ended, [78, null])
  t.match(await errors, /SANDBOX_REPEATS/)
})

// An empty variable is how compose files leave one out.
for (const [repeats, count] of [
  ['accept', 2],
  ['refuse', 1],
  ['', 1],
] as const) {
  t.test(`with SANDBOX_REPEATS=${repeats} a repeated request_id leaves ${count} in the list`, async (t) => {
    const { url } = await readStartLine(startProgram(t, { SANDBOX_PORT: '0', SANDBOX_REPEATS: repeats }))
    await addClient(url)
    await addClient(url)
    const answer = await request(`${url}/sandbox/clients`, { reset: true })
    const clients = (await answer.body.json()) as { requestId: string; clientId: string }[]
    t.strictSame(
      clients.map((client) => client.requestId),
      Array(count).fill(requestId),
    )
    t.equal(new Set(clients.map(({ clientId }) => clientId)).size, count)
  })
}
