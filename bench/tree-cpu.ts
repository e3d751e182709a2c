/** What a database has cost: the processor time of a process and of its children, those that have ended included. */
import { readFileSync } from 'node:fs'

/** The unit of /proc/<pid>/stat on every Linux that Node runs on. */
const microsecondsPerTick = 10_000

export function readTreeCpuMicroseconds(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  return children.reduce((total, child) => total + readOwn(child), readOwn(pid))
}

function readOwn(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name, in brackets, may hold spaces: user, system, and the same of children that have ended, from field 14 on.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((total, ticks) => total + Number(ticks), 0) * microsecondsPerTick
}
