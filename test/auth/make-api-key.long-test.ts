import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createKeyTable, parseApiKeys } from '../../src/auth/api-key.ts'

const program = fileURLToPath(new URL('../../src/auth/make-api-key.ts', import.meta.url))
const run = (...words: string[]) => spawnSync(process.execPath, [program, ...words], { encoding: 'utf8' })

t.test('a key is made anew each time, with the line that lets it in', async (t) => {
  const keys = new Set<string>()
  for (let i = 0; i < 2; i++) {
    const { status, stdout } = run('billing-app')
    t.equal(status, 0)
    const [key = ''] = /^fpc_[\w-]{43}$/m.exec(stdout) ?? []
    const [line = ''] = /^billing-app:[0-9a-f]{64}$/m.exec(stdout) ?? []
    t.equal(createKeyTable(parseApiKeys(line))(key), 'billing-app')
    keys.add(key)
  }
  t.equal(keys.size, 2)
})

for (const words of [[], [''], ['a b'], ['a', 'b'], ['anonymous'], ['#a'], ['a\nb']]) {
  t.test(`${JSON.stringify(words)} is no name of a caller`, async (t) => {
    const { status, stdout, stderr } = run(...words)
    t.equal(status, 64)
    t.equal(stdout, '')
    t.match(stderr, /^Usage: /)
  })
}
