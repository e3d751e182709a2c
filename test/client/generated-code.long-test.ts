import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const client = fileURLToPath(new URL('../../client', import.meta.url))
const compiler = join(client, 'node_modules/typescript/bin/tsc')
const skip = !existsSync(compiler) && 'the tools of client/ are not installed: npm ci --prefix client'

t.test(
  'client/openapi.ts is what openapi/clients.json says; after a change: npm run generate --prefix client',
  { skip },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'generated-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const fresh = join(folder, 'openapi.ts')
    await run(process.execPath, [join(client, 'generate.ts'), fresh])
    t.equal(readFileSync(join(client, 'openapi.ts'), 'utf8'), readFileSync(fresh, 'utf8'))
  },
)

t.test(
  'generated code tells each answer’s members: an exhaustive switch compiles, without a cast',
  { skip },
  async (t) => {
    const { stdout } = await run(process.execPath, [compiler, '--project', join(client, 'tsconfig.check.json')]).catch(
      (error: { stdout: string }) => error,
    )
    t.equal(stdout, '')
    const program = readFileSync(join(client, 'generated.check.ts'), 'utf8')
    t.notMatch(program, /\?\.| as |!\./)
  },
)

const callOfAnotherProject = `
import { connect, type Outcome } from 'freedompay-clients-client'

function tell(outcome: Outcome): string {
  switch (outcome.status) {
    case 'created': return outcome.requestId
    case 'rejected': return outcome.partner?.code ?? ''
    case 'invalid': return outcome.errors.map(({ pointer }) => pointer).join()
    case 'unresolved': return outcome.key
    default: return outcome satisfies never
  }
}

const clients = connect({ baseUrl: 'http://127.0.0.1:1' })
console.log(tell(await clients.create({ phone: '+998901234567' }, { key: 'k', timeoutMs: 1 })))
// @ts-expect-error: no text
await clients.create({ phone: 998901234567 }, { timeoutMs: 1 })
`

t.test(
  'another project installs the client, compiles against its types and runs its JavaScript',
  { skip },
  async (t) => {
    const project = mkdtempSync(join(tmpdir(), 'project-'))
    t.teardown(() => rmSync(project, { recursive: true }))
    await run('npm', ['pack', '--pack-destination', project], { cwd: client })
    writeFileSync(join(project, 'package.json'), '{"type":"module"}')
    writeFileSync(join(project, 'call.ts'), callOfAnotherProject)
    const [archive = ''] = readdirSync(project).filter((name) => name.endsWith('.tgz'))
    await run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${archive}`], { cwd: project })
    const strict = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023,dom']
    const { stdout: faults } = await run(process.execPath, [compiler, ...strict, 'call.ts'], { cwd: project }).catch(
      (error: { stdout: string }) => error,
    )
    t.equal(faults, '')
    const { stdout } = await run(process.execPath, ['call.js'], { cwd: project })
    t.equal(stdout, 'k\n')
  },
)
