/** `npm test` and `npm run test:long` choose by the names of files: no test may be chosen by neither, or by both. */
import { readdirSync, readFileSync } from 'node:fs'
import { matchesGlob } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import packageJson from '../package.json' with { type: 'json' }

const root = fileURLToPath(new URL('..', import.meta.url))
const ofShort: string[] = parse(readFileSync(`${root}.taprc`, 'utf8')).include
const ofLong = /--include='([^']+)'/.exec(packageJson.scripts['test:long'])?.[1] ?? ''

const sources = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
  .map((path) => `test/${path}`)

/** A file that hands tests to tap as soon as it is loaded; a fixture does so in a function that a test calls. */
const holdsTests = (path: string) =>
  /^(?:await )?(?:\w+\.)?t\.test\(|^import t from 'tap'/m.test(readFileSync(path, 'utf8'))

t.test('every file that holds tests is run by one script, and by one alone', async (t) => {
  const files = sources.filter((path) => holdsTests(root + path))
  t.ok(files.length > 100, 'the files are found')
  for (const file of files) {
    const isShort = ofShort.some((pattern) => matchesGlob(file, pattern))
    t.not(isShort, matchesGlob(file, ofLong), file)
  }
})

t.test('what the continuous integration runs are both scripts', async (t) => {
  const lines = readFileSync(`${root}.ci/run`, 'utf8').split('\n')
  for (const command of ['npm test ', 'npm run test:long ']) {
    t.ok(
      lines.some((line) => line.startsWith(command)),
      command,
    )
  }
})
