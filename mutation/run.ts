/** `npm run mutation [-- file …]`: one run of Stryker for each source file, by its own test files; the score and the survivors of each. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { describeRow, readScore, type Score } from './score.ts'
import { engineOf, programs, targets, testLimitMs } from './targets.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const work = 'mutation/.work'

/** In per cent. */
function leastScore(file: string): number {
  return file.startsWith('src/auth/') ? 95 : 92
}

function chooseFiles(asked: readonly string[]): string[] {
  const files = Object.keys(targets)
  for (const part of asked) {
    if (!files.some((file) => file.includes(part))) throw new Error(`No target has "${part}" in its path`)
  }
  return asked.length === 0 ? files : files.filter((file) => asked.some((part) => file.includes(part)))
}

function mutate(file: string): Score {
  const name = file.replaceAll('/', '-').replace(/\.ts$/, '')
  const report = `${work}/${name}.json`
  const config = {
    plugins: [`${root}/mutation/in-process-runner.ts`],
    testRunner: 'in-process',
    testRunnerNodeArgs: ['--no-warnings'],
    mutate: [file],
    // Not `testFiles`, an option of Stryker's: it would have a runner that takes static mutants for files' names.
    inProcess: { testFiles: targets[file], testLimitMs: testLimitMs[file] },
    warnings: { unknownOptions: false },
    coverageAnalysis: programs.has(file) ? 'off' : 'perTest',
    // An endless loop or a promise that nothing settles; long enough for a busy machine.
    timeoutMS: 6000,
    // What each mutant leaves behind is given back with its process.
    maxTestRunnerReuse: 100,
    concurrency: 1,
    reporters: ['json', 'progress-append-only'],
    jsonReporter: { fileName: report },
    // TypeScript 7 has no compiler API, with which Stryker would rewrite the real file.
    tsconfigFile: `${work}/no-tsconfig.json`,
    tempDirName: `${work}/sandbox`,
    ignorePatterns: ['/bench', '/client', '/mutation', '/.tap', '/coverage', '/biome.json'],
    allowConsoleColors: false,
    checkers: [],
  }
  mkdirSync(`${root}/${work}`, { recursive: true })
  // The report of an earlier run must not be taken for this run's.
  rmSync(`${root}/${report}`, { force: true })
  const configFile = `${work}/${name}.config.json`
  writeFileSync(`${root}/${configFile}`, JSON.stringify(config, null, 2))
  const stryker = 'mutation/node_modules/@stryker-mutator/core/bin/stryker.js'
  const engine = engineOf[file]
  const env = engine === undefined ? process.env : { ...process.env, LEDGER_ENGINE: engine }
  const options = { cwd: root, env, stdio: 'inherit' } as const
  const { status, error } = spawnSync(process.execPath, [stryker, 'run', configFile], options)
  if (status !== 0) throw new Error(`Stryker failed on ${file}`, { cause: error })
  return readScore(`${root}/${report}`, file)
}

const rows: string[] = []
for (const file of chooseFiles(process.argv.slice(2))) {
  const score = mutate(file)
  for (const survivor of score.survivors) console.log(survivor)
  for (const change of score.outdated) console.log(`${file}: equivalents.ts names what no longer survives: ${change}`)
  rows.push(describeRow(file, score))
  if (score.percentOfOthers < leastScore(file)) process.exitCode = 1
}
console.log(
  [
    '| file | mutants | killed | timed out | mean the same | survived | of all | of the others |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n'),
)
