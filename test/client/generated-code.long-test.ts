import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
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

t.test('the client compiles to JavaScript with types, which does the same', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'built-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  await run(process.execPath, [compiler, '--project', join(client, 'tsconfig.json'), '--outDir', folder])
  t.match(readFileSync(join(folder, 'index.d.ts'), 'utf8'), 'export type Outcome')
  const { connect } = await import(join(folder, 'index.js'))
  const outcome = await connect({ baseUrl: 'http://127.0.0.1:1' }).create(
    { phone: '+998901234567' },
    { key: 'k', timeoutMs: 1 },
  )
  t.match(outcome, { status: 'unresolved', key: 'k' })
})
