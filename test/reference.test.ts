import { readFileSync } from 'node:fs'
import t from 'tap'
import { referenceFile, refreshReference } from '../openapi/documents.ts'
import { problemCodes } from '../src/problems/catalogue.ts'

const reference = readFileSync(referenceFile, 'utf8')

t.test('the tables of the reference are those of the source; after a change: npm run generate', (t) => {
  t.equal(reference, refreshReference(reference))
  for (const code of problemCodes) t.match(reference, `| \`${code}\` |`)
  t.match(reference, '| `PORT` | `3000` |')
  t.end()
})

t.test('a table is made anew between its markers, and nothing else is touched', (t) => {
  const before = 'a <!-- problems -->old<!-- /problems --> b\n<!-- settings --><!-- /settings --> c'
  const after = refreshReference(before)
  t.match(after, /^a <!-- problems -->\n\| Status \|[\s\S]*\n<!-- \/problems --> b\n<!-- settings -->\n\| Name \|/)
  t.ok(after.endsWith('\n<!-- /settings --> c'))
  t.equal(refreshReference(after), after)
  t.end()
})

t.test('a marker that is missing or there twice is an error, not a silently stale table', (t) => {
  const settings = '<!-- settings --><!-- /settings -->'
  for (const faulty of [
    settings,
    `<!-- problems --> ${settings}`,
    `${settings}${'<!-- problems --><!-- /problems -->'.repeat(2)}`,
  ]) {
    t.throws(() => refreshReference(faulty), { message: /must hold <!-- problems -->/ })
  }
  t.end()
})
