/** `npm run coverage`: every line and branch of the two rooms that decide about clients has run in the tests of these rooms. */
import { globSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const covered = ['src/clients', 'src/partner']
const root = fileURLToPath(new URL('..', import.meta.url))

interface Share {
  total: number
  covered: number
}
type Summary = Record<string, { lines: Share; branches: Share } | undefined>

const summary = JSON.parse(readFileSync(`${root}.tap/report/coverage-summary.json`, 'utf8')) as Summary

/** A file that no test has loaded is not in tap's summary at all. */
function findGaps(file: string): string[] {
  const shares = summary[`${root}${file}`]
  if (shares === undefined) return holdsTypesAlone(file) ? [] : [`${file}: never loaded`]
  return (['lines', 'branches'] as const)
    .filter((kind) => shares[kind].covered < shares[kind].total)
    .map((kind) => `${file}: ${shares[kind].covered} of ${shares[kind].total} ${kind}`)
}

/** Nothing is left of such a file at run time but comments. */
function holdsTypesAlone(file: string): boolean {
  const code = stripTypeScriptTypes(readFileSync(root + file, 'utf8'))
  return code.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').trim() === ''
}

const files = globSync(covered.map((folder) => `${root}${folder}/**/*.ts`)).map((path) => relative(root, path))
const gaps = files.sort().flatMap(findGaps)
for (const gap of gaps) console.error(gap)
console.log(
  `${files.length} files of ${covered.join(' and ')}, ${gaps.length === 0 ? 'all covered' : 'not all covered'}`,
)
process.exitCode = gaps.length === 0 && files.length > 0 ? 0 : 1
