/** Installs Stryker, where it is missing or was installed from another lock file. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = new URL('.', import.meta.url)
const lockFile = new URL('package-lock.json', folder)
const installedMark = new URL('node_modules/.installed-lock-sha256', folder)

export function installStryker(): void {
  const wanted = createHash('sha256').update(readFileSync(lockFile)).digest('hex')
  if (readInstalled() === wanted) return
  console.log('Installing Stryker (npm ci in mutation/) …')
  const { status, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: fileURLToPath(folder),
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) throw new Error('npm ci failed in mutation/', { cause: error })
  writeFileSync(installedMark, wanted)
}

function readInstalled(): string | undefined {
  try {
    return readFileSync(installedMark, 'utf8')
  } catch {
    return undefined
  }
}
