/**
 * What a lock file must not hold: addresses of its own, packages without a checksum, and install scripts that nobody has allowed.
 * npm has refused those since version 11; this check makes the promise hold for older ones as well.
 */
import { readFileSync } from 'node:fs'

interface LockedPackage {
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly hasInstallScript?: boolean
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
}

export interface LockFile {
  readonly lockfileVersion?: number
  readonly packages?: Record<string, LockedPackage>
}

export function findFaults({ lockfileVersion, packages = {} }: LockFile, allowedScripts: readonly string[]): string[] {
  const faults = lockfileVersion === 3 ? [] : ['the lock file is not of version 3']
  for (const [path, locked] of Object.entries(packages)) {
    const dependencies = { ...locked.dependencies, ...locked.devDependencies, ...locked.optionalDependencies }
    for (const [name, wanted] of Object.entries(dependencies)) {
      if (/[:/]/.test(wanted.replace(/^npm:(?:@[^/]+\/)?/, ''))) faults.push(`${path} wants ${name} from an address`)
    }
    if (path === '') continue
    if (locked.resolved !== undefined || locked.link) faults.push(`${path} has an address`)
    if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(locked.integrity ?? '')) faults.push(`${path} has no SHA-512`)
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
    if (locked.hasInstallScript && !allowedScripts.includes(name)) faults.push(`${path} has an install script`)
  }
  return faults
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')) as T
}

const lockFiles = ['', 'bench/', 'client/', 'deploy/', 'mutation/', 'test/'].map(
  (folder) => `${folder}package-lock.json`,
)

if (import.meta.main) {
  const { allowScripts = {} } = readJson<{ allowScripts?: Record<string, boolean> }>('package.json')
  const allowed = Object.keys(allowScripts).filter((name) => allowScripts[name])
  for (const path of lockFiles) {
    for (const fault of findFaults(readJson<LockFile>(path), allowed)) {
      process.stderr.write(`${path}: ${fault}\n`)
      process.exitCode = 1
    }
  }
}
