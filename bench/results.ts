/** What a run leaves behind under results/. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import type { LoadMeasures, Timing } from './loads.ts'
import type { IdleMeasures, PeakMeasures } from './memory.ts'
import type { MixedMeasures } from './mixed.ts'
import type { Outcomes } from './rounds.ts'

export interface Results {
  readonly environment: Environment
  readonly timing: Timing
  readonly skipped: Record<string, string>
  readonly loads: Record<string, Outcomes<LoadMeasures>>
  mixed?: Outcomes<MixedMeasures>
  memory?: Outcomes<PeakMeasures>
  idle?: Outcomes<IdleMeasures>
}

export interface Environment {
  readonly node: string
  readonly processor: string
  readonly cores: number
}

const folder = new URL('results/', import.meta.url)

export function describeEnvironment(): Environment {
  const processors = cpus()
  return { node: process.version, processor: processors[0]?.model ?? 'unknown', cores: processors.length }
}

export function readLatest(): Results {
  try {
    return JSON.parse(readFileSync(new URL('latest.json', folder), 'utf8'))
  } catch (cause) {
    throw new Error('no committed results to compare with: run `npm run bench` first', { cause })
  }
}

export function writeResult(fileName: string, text: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(new URL(fileName, folder), text)
  console.log(`Written: bench/results/${fileName}`)
}

/** Four digits are more than a bench can promise; the rest would only make noise in a diff. */
export function toJson(value: unknown): string {
  const rounded = (_key: string, member: unknown) =>
    typeof member === 'number' && !Number.isInteger(member) ? Number(member.toPrecision(4)) : member
  return `${JSON.stringify(value, rounded, 2)}\n`
}
