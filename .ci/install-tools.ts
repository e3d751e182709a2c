/**
 * `node .ci/install-tools.ts test`: installs the tools of one folder from its own lock file, where they are missing or come from another
 * one. The service and `npm start` need none of them, so `npm ci` stays short.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

function installTools(folder: string): void {
  const wanted = createHash('sha256')
    .update(readFileSync(`${root}${folder}/package-lock.json`))
    .digest('hex')
  const mark = `${root}${folder}/node_modules/.installed-lock-sha256`
  // npm install in the root follows the link to tap and deletes the parts of tap, but not the mark.
  const isComplete = folder !== 'test' || existsSync(`${root}test/node_modules/tap/node_modules/@tapjs/core`)
  const isInstalled = isComplete && readIfThere(mark) === wanted
  if (!isInstalled) {
    console.log(`Installing the tools of ${folder}/ (once) …`)
    run('npm', ['ci', '--no-audit', '--no-fund'], root + folder)
  }
  if (folder === 'test') linkTap()
  // tap is made anew of the plugins that .taprc names.
  if (folder === 'test' && !isInstalled) run('node_modules/.bin/tap', ['build'], root)
  if (!isInstalled) writeFileSync(mark, wanted)
}

function run(command: string, args: string[], cwd: string): void {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed in ${cwd}`, { cause: error })
}

/** tap looks for itself from the root of a project, `npx tap` for the same one, and the runner of the mutation tests for its parts. */
function linkTap(): void {
  link('../test/node_modules/tap', `${root}node_modules/tap`)
  // One link for each part: where the whole folder is a link, npm install deletes what is in it.
  for (const part of readdirSync(`${root}test/node_modules/tap/node_modules/@tapjs`)) {
    link(`../../test/node_modules/tap/node_modules/@tapjs/${part}`, `${root}node_modules/@tapjs/${part}`)
  }
  link('../../test/node_modules/.bin/tap', `${root}node_modules/.bin/tap`)
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  rmSync(path, { recursive: true, force: true })
  symlinkSync(target, path)
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

for (const folder of process.argv.slice(2)) installTools(folder)
