/** The regression guard: compares ratios between candidates of one run, which another machine changes far less than figures. */
import type { CandidateName } from './candidates.ts'
import { printRows } from './report.ts'
import type { Results } from './results.ts'
import { compareRounds } from './rounds.ts'

interface GuardedRatio {
  readonly title: string
  readonly load: string
  readonly over: CandidateName
  readonly under: CandidateName
  readonly better: 'lower' | 'higher'
}

const allowedLoss = 0.2

const guardedRatios: readonly GuardedRatio[] = ['typical', 'document-2m'].flatMap((load) => [
  { title: `${load}: service / floor`, load, over: 'service', under: 'floor', better: 'lower' } as const,
  { title: `${load}: Express / service`, load, over: 'express', under: 'service', better: 'higher' } as const,
  { title: `${load}: NestJS / service`, load, over: 'nest', under: 'service', better: 'higher' } as const,
])

/** Prints the comparison; says what has become more than 20 % worse. */
export function compareRatios(now: Results, committed: Results): string[] {
  const losses: string[] = []
  const rows = [['CPU per request', 'committed', 'now', 'change']]
  for (const guarded of guardedRatios) {
    const before = readRatio(committed, guarded)
    const after = readRatio(now, guarded)
    if (before === undefined || after === undefined) {
      losses.push(`${guarded.title}: not measured`)
      continue
    }
    const change = after / before - 1
    const loss = guarded.better === 'lower' ? change : before / after - 1
    const percent = `${change < 0 ? '' : '+'}${(change * 100).toFixed(1)} %`
    rows.push([guarded.title, before.toFixed(2), after.toFixed(2), percent])
    if (loss > allowedLoss)
      losses.push(`${guarded.title}: ${before.toFixed(2)} became ${after.toFixed(2)} (${percent})`)
  }
  console.log()
  printRows(rows)
  return losses
}

function readRatio(results: Results, { load, over, under }: GuardedRatio): number | undefined {
  const outcomes = results.loads[load]
  return compareRounds(outcomes?.[over], outcomes?.[under], ({ cpuMicroseconds }) => cpuMicroseconds)
}
