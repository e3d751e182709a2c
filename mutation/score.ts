/** Reads Stryker's JSON report (mutation-testing-report-schema). */
import { readFileSync } from 'node:fs'

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
  readonly percent: number
  readonly counts: Readonly<Record<string, number>>
  /** One line each: place, what stood there, what replaced that. */
  readonly survivors: readonly string[]
}

export function readScore(reportPath: string, file: string): Score {
  const { files } = JSON.parse(readFileSync(reportPath, 'utf8')) as Report
  const mutated = files[file]
  if (mutated === undefined) throw new Error(`${reportPath} does not speak of ${file}`)
  const counts: Record<string, number> = {}
  for (const { status } of mutated.mutants) counts[status] = (counts[status] ?? 0) + 1
  const found = (counts.Killed ?? 0) + (counts.Timeout ?? 0)
  const missed = (counts.Survived ?? 0) + (counts.NoCoverage ?? 0)
  const lines = mutated.source.split('\n')
  const survivors = mutated.mutants
    .filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
    .map((mutant) => describeMutant(file, lines, mutant))
  return { percent: (100 * found) / (found + missed), counts, survivors }
}

function describeMutant(file: string, lines: readonly string[], { location, status, ...mutant }: Mutant): string {
  const { start, end } = location
  const line = lines[start.line - 1] ?? ''
  const before = line.slice(start.column - 1, start.line === end.line ? end.column - 1 : undefined)
  return `${file}:${start.line}:${start.column} ${status} ${mutant.mutatorName}: ${before} → ${mutant.replacement ?? ''}`
}

export function describeRow(file: string, { percent, counts }: Score, tookMs: number): string {
  const { Killed = 0, Timeout = 0, Survived = 0, NoCoverage = 0 } = counts
  const took = `${Math.round(tookMs / 1000)} s`
  return `| ${file} | ${percent.toFixed(1)} % | ${Killed} | ${Timeout} | ${Survived} | ${NoCoverage} | ${took} |`
}
