import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { problemCodes } from '../src/problems/catalogue.ts'
import { loadOpenApi } from './fixtures/openapi.ts'
import { startTestService } from './fixtures/service.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const guides = readdirSync(join(root, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)

/** The commands of the `console` blocks, each with the lines that its answer must hold. */
function readSessions(markdown: string): { command: string; expected: string[] }[] {
  const blocks = [...markdown.matchAll(/```console\n([\s\S]*?)```/g)].map(([, text = '']) => text)
  return blocks.flatMap((block) =>
    block
      .split(/^\$ /m)
      .filter((part) => part.trim() !== '')
      .map((part) => {
        const [command = '', ...expected] = part.trimEnd().split('\n')
        return { command, expected }
      }),
  )
}

t.test('every command in how-to-call-it.md gets the answer that stands under it', async (t) => {
  const service = await startTestService(t)
  const sessions = readSessions(readFileSync(join(root, 'docs/how-to-call-it.md'), 'utf8'))
  t.ok(sessions.length >= 5)
  for (const { command, expected } of sessions) {
    t.match(command, 'localhost:3000')
    const args = ['-c', command.replaceAll('localhost:3000', new URL(service.url).host)]
    const { stdout } = await promisify(execFile)('bash', args)
    t.ok(expected.length > 0)
    for (const line of expected) t.ok(stdout.includes(line), `${command}\n${line}`)
  }
})

t.test('every link of the guides leads to a file', (t) => {
  for (const guide of [...guides, 'CONTRIBUTING.md', 'CHANGELOG.md']) {
    const text = readFileSync(join(root, guide), 'utf8')
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      t.ok(existsSync(join(root, dirname(guide), target)), `${guide}: ${target}`)
    }
  }
  t.end()
})

t.test('the guide for callers names no problem that does not exist', (t) => {
  const text = readFileSync(join(root, 'docs/how-to-call-it.md'), 'utf8')
  const named = [...text.matchAll(/`(partner-[a-z]+|idempotency-key-[a-z]+)`/g)].map(([, code]) => code)
  t.ok(named.length > 0)
  t.strictSame(
    named.filter((code) => !(problemCodes as (string | undefined)[]).includes(code)),
    [],
  )
  t.end()
})

t.test('the guide for callers says `Retry-After` of exactly the answers that carry one', (t) => {
  const { responses } = loadOpenApi().paths['/clients']?.post ?? { responses: {} }
  const text = readFileSync(join(root, 'docs/how-to-call-it.md'), 'utf8')
  const rows = text.split('\n').filter((line) => /^\| [1-5]\d\d/.test(line))
  t.ok(rows.length > 5)
  for (const row of rows) {
    const [answer = '', , todo = ''] = row.slice(2).split(' | ')
    for (const [status] of answer.matchAll(/\d{3}/g)) {
      const carries = responses[status]?.headers?.['Retry-After'] !== undefined
      t.equal(/wait for `Retry-After`|the same as for `processing`/.test(todo), carries, status)
    }
  }
  t.end()
})
