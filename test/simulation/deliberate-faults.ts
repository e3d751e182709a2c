/** That the simulation bites: deliberate faults, each applied to a copy of the sources, are found. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type DeliberateFault, deliberateFaults } from './faults.ts'

const run = promisify(execFile)
const root = new URL('../../', import.meta.url).pathname

/** Whether each of them is found within so many worlds; prints how many it took. */
export async function findDeliberateFaults(from: number, worlds: number): Promise<boolean> {
  let areAllFound = true
  for (const fault of deliberateFaults) {
    const report = await searchWith(fault, from, worlds)
    const seeds = [...report.matchAll(/^ {4}seeds (\d+)/gm)].map(([, seed]) => Number(seed) - from + 1)
    const promise = /^\d+ × (\w+)/m.exec(report)?.[1]
    if (promise === undefined) areAllFound = false
    console.log(
      `${fault.name}: ${promise === undefined ? `NOT FOUND in ${worlds} worlds` : `${promise}, in world ${Math.min(...seeds)}`}`,
    )
  }
  return areAllFound
}

async function searchWith(fault: DeliberateFault, from: number, worlds: number): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'deliberate-fault-'))
  try {
    for (const name of ['src', 'package.json', 'test/simulation']) {
      await cp(join(root, name), join(copy, name), { recursive: true })
    }
    await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
    await apply(fault, copy)
    const options = ['--first', '--from', String(from), '--worlds', String(worlds)]
    const program = join(copy, 'test/simulation/run.ts')
    const { stdout } = await run(process.execPath, ['--no-warnings', program, ...options]).catch((error) => error)
    return stdout
  } finally {
    await rm(copy, { recursive: true })
  }
}

async function apply({ name, file, find, replace, imports = '' }: DeliberateFault, copy: string): Promise<void> {
  const path = join(copy, file)
  const text = await readFile(path, 'utf8')
  if (text.split(find).length !== 2) throw new Error(`"${name}": its text stands not once in ${file}`)
  await writeFile(path, `${imports}\n${text.replace(find, () => replace)}`)
}
