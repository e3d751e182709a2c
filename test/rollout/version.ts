/** Another version of the service, from git's history: its sources in a folder of their own, with the packages that it names. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const secondsOfADay = 86_400

export interface Version {
  readonly revision: string
  /** What node runs. */
  readonly program: string
  remove(): Promise<void>
}

/** Runs git in this repository, and resolves with its first line; undefined where it fails. */
async function askGit(...args: string[]): Promise<string | undefined> {
  const answer = await run('git', args, { cwd: root }).catch(() => undefined)
  return answer?.stdout.split('\n')[0] || undefined
}

/** The last tag before this version, or else the newest commit that had a day in which it may have been deployed. */
export async function findVersionBefore(): Promise<string | undefined> {
  const tag = await askGit('describe', '--tags', '--abbrev=0', 'HEAD^')
  if (tag !== undefined) return tag
  const committedAt = await askGit('log', '-1', '--format=%ct')
  if (committedAt === undefined) return undefined
  const aDayBefore = Number(committedAt) - secondsOfADay
  return askGit('log', '-1', '--first-parent', '--format=%H', `--before=${aDayBefore}`)
}

/** `git archive` and not `git worktree`: a run that is killed leaves nothing in the repository. */
export async function unpackVersion(revision: string): Promise<Version> {
  const folder = await mkdtemp(join(tmpdir(), 'version-'))
  const archive = join(folder, 'version.tar')
  await run('git', ['archive', `--output=${archive}`, revision], { cwd: root })
  await run('tar', ['-xf', archive, '-C', folder])
  if (await hasSamePackages(folder)) await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  else await run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder })
  return {
    revision,
    program: join(folder, 'src/main.ts'),
    remove: () => rm(folder, { recursive: true }),
  }
}

/** Whether every package that it runs with is installed here in the same version; what has been added since does not matter. */
async function hasSamePackages(folder: string): Promise<boolean> {
  const [theirs, ours] = await Promise.all([folder, root].map(readLock))
  return Object.entries(theirs ?? {}).every(
    ([path, { dev, version }]) => path === '' || dev === true || ours?.[path]?.version === version,
  )
}

interface LockedPackage {
  readonly version: string
  readonly dev?: boolean
}

async function readLock(folder: string): Promise<Record<string, LockedPackage>> {
  return JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8')).packages
}
