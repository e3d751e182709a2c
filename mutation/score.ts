/** Reads Stryker's JSON report (mutation-testing-report-schema). */
import { readFileSync } from 'node:fs'
import { equivalents } from './equivalents.ts'

interface Position {
  readonly line: number
  readonly column: number
}

interface Mutant {
  readonly status: string
  readonly mutatorName: string
  readonly replacement?: string
  readonly location: { readonly start: Position; readonly end: Position }
}

interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>
}

export interface Score {
  readonly mutants: number
  /** Of all mutants. */
  readonly percent: number
  /** Of those that mean something else than the source. */
  readonly percentOfOthers: number
  readonly counts: Readonly<Record<string, number>>
  readonly equivalents: number
  /** One line each: place, what stood there, what replaced that. Without those that mean the same. */
  readonly survivors: readonly string[]
  /** Listed in equivalents.ts, and found by a test or gone from the source. */
  readonly outdated: readonly string[]
}

export function readScore(reportPath: string, file: string): Score {
  const { files } = JSON.parse(readFileSync(reportPath, 'utf8')) as Report
  const mutated = files[file]
  if (mutated === undefined) throw new Error(`${reportPath} does not speak of ${file}`)
  const counts: Record<string, number> = {}
  for (const { status } of mutated.mutants) counts[status] = (counts[status] ?? 0) + 1
  const found = (counts.Killed ?? 0) + (counts.Timeout ?? 0)
  const lines = mutated.source.split('\n')
  const missed = mutated.mutants
    .filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
    .map((mutant) => ({ ...mutant, change: describeChange(lines, mutant) }))
  const known = Object.keys(equivalents[file] ?? {})
  const survivors = missed.filter(({ change }) => !known.includes(change))
  return {
    mutants: found + missed.length,
    percent: (100 * found) / (found + missed.length),
    percentOfOthers: (100 * found) / (found + survivors.length),
    counts,
    equivalents: missed.length - survivors.length,
    survivors: survivors.map(({ location: { start }, status, change }) => `${file}:${start.line} ${status} ${change}`),
    outdated: known.filter((change) => !missed.some((mutant) => mutant.change === change)),
  }
}

/** What stood there is short: the line says which one it was. */
const shortest = 8

function describeChange(lines: readonly string[], { location, mutatorName, replacement = '' }: Mutant): string {
  const { start, end } = location
  const line = lines[start.line - 1] ?? ''
  const isOneLine = start.line === end.line
  const before = line.slice(start.column - 1, isOneLine ? end.column - 1 : undefined)
  const where = before.length < shortest ? ` in ${line.trim()}` : ''
  return `${mutatorName}: ${before} → ${replacement}${where}`
}

export function describeRow(file: string, score: Score): string {
  const { Killed = 0, Timeout = 0 } = score.counts
  const { mutants, equivalents, survivors, percent, percentOfOthers } = score
  const found = `${Killed} | ${Timeout} | ${equivalents} | ${survivors.length}`
  return `| ${file} | ${mutants} | ${found} | ${percent.toFixed(1)} % | ${percentOfOthers.toFixed(1)} % |`
}
