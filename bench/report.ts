/** The tables that a run prints. */
import { candidates } from './candidates.ts'
import type { LoadMeasures } from './loads.ts'
import type { IdleMeasures, PeakMeasures } from './memory.ts'
import type { MixedMeasures } from './mixed.ts'
import { compareRounds, type Outcomes } from './rounds.ts'

type Column<T> = readonly [title: string, show: (measures: T, toFloor: Compare<T>, overService: Compare<T>) => string]
type Compare<T> = (read: (measures: T) => number) => number | undefined

const loadColumns: readonly Column<LoadMeasures>[] = [
  ['req/s', ({ requestsPerSecond }) => requestsPerSecond.toFixed(requestsPerSecond < 1000 ? 1 : 0)],
  ['p50 ms', ({ p50Ms }) => p50Ms.toFixed(2)],
  ['p99 ms', ({ p99Ms }) => p99Ms.toFixed(2)],
  ['CPU µs/req', ({ cpuMicroseconds }) => cpuMicroseconds.toFixed(0)],
  ['× floor', (_, toFloor) => formatRatio(toFloor(({ cpuMicroseconds }) => cpuMicroseconds))],
  ['µs over service', (_, _toFloor, overService) => formatMore(overService(({ cpuMicroseconds }) => cpuMicroseconds))],
  ['peak MB', ({ peakMegabytes }) => peakMegabytes.toFixed(0)],
]

const mixedColumns: readonly Column<MixedMeasures>[] = [
  ['p99 alone ms', ({ p99AloneMs }) => p99AloneMs.toFixed(2)],
  ['p99 mixed ms', ({ p99MixedMs }) => p99MixedMs.toFixed(2)],
  ['ratio', ({ p99Ratio }) => p99Ratio.toFixed(2)],
  ['stall alone ms', ({ longestStallAloneMs }) => longestStallAloneMs.toFixed(1)],
  ['stall mixed ms', ({ longestStallMixedMs }) => longestStallMixedMs.toFixed(1)],
  ['typical/s', ({ typicalPerSecond }) => typicalPerSecond.toFixed(0)],
  ['documents/s', ({ documentsPerSecond }) => documentsPerSecond.toFixed(1)],
]

const peakColumns: readonly Column<PeakMeasures>[] = [
  ['peak MB', ({ peakMegabytes }) => peakMegabytes.toFixed(0)],
  ['× floor', (_, toFloor) => formatRatio(toFloor(({ peakMegabytes }) => peakMegabytes))],
  ['at partner at once', ({ mostAtPartner }) => mostAtPartner.toFixed(0)],
]

const idleColumns: readonly Column<IdleMeasures>[] = [
  ['start to ready ms', ({ startToReadyMs }) => startToReadyMs.toFixed(0)],
  ['idle MB', ({ idleMegabytes }) => idleMegabytes.toFixed(0)],
]

export const printLoad = (title: string, outcomes: Outcomes<LoadMeasures>) => printTable(title, outcomes, loadColumns)
export const printMixed = (title: string, outcomes: Outcomes<MixedMeasures>) =>
  printTable(title, outcomes, mixedColumns)
export const printPeak = (title: string, outcomes: Outcomes<PeakMeasures>) => printTable(title, outcomes, peakColumns)
export const printIdle = (title: string, outcomes: Outcomes<IdleMeasures>) => printTable(title, outcomes, idleColumns)

function printTable<T>(title: string, outcomes: Outcomes<T>, columns: readonly Column<T>[]): void {
  const rows = candidates.flatMap((candidate) => {
    const outcome = outcomes[candidate.name]
    if (outcome === undefined) return []
    const toFloor: Compare<T> = (read) => compareRounds(outcome, outcomes.floor, read)
    const overService: Compare<T> = (read) =>
      candidate.ledger && compareRounds(outcome, outcomes.service, read, (over, under) => over - under)
    return [[candidate.title, ...columns.map(([, show]) => show(outcome.median, toFloor, overService))]]
  })
  console.log(`\n${title}`)
  printRows([['', ...columns.map(([name]) => name)], ...rows])
}

export function printRows(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    )
    console.log(`  ${cells.join('  ')}`)
  }
}

function formatRatio(ratio: number | undefined): string {
  return ratio?.toFixed(2) ?? ''
}

function formatMore(more: number | undefined): string {
  return more === undefined || more === 0 ? '' : `${more > 0 ? '+' : ''}${more.toFixed(0)}`
}
