/** Several rounds of the same measure, interleaved, so that what changes on the machine meanwhile meets every candidate. */
import type { Candidate, CandidateName } from './candidates.ts'
import { median, medianOfEach } from './statistics.ts'

export interface Outcome<T> {
  readonly median: T
  readonly rounds: readonly T[]
}

export type Outcomes<T> = Partial<Record<CandidateName, Outcome<T>>>

type Measures<T> = Record<keyof T, number>

/** One measure of each candidate. */
export async function measureInRounds<T extends Measures<T>>(
  candidates: readonly Candidate[],
  rounds: number,
  measure: (candidate: Candidate) => Promise<T>,
): Promise<Outcomes<T>> {
  const name = 'only'
  const outcomes = await measureSeveralInRounds(candidates, rounds, async (candidate) => ({
    [name]: await measure(candidate),
  }))
  return outcomes[name] ?? {}
}

/** Several measures of each candidate at a time, by name; a round may leave some of them out. */
export async function measureSeveralInRounds<T extends Measures<T>>(
  candidates: readonly Candidate[],
  rounds: number,
  measure: (candidate: Candidate, round: number) => Promise<Record<string, T>>,
): Promise<Record<string, Outcomes<T>>> {
  const measured: Record<string, Partial<Record<CandidateName, T[]>>> = {}
  for (let round = 0; round < rounds; round += 1) {
    for (const candidate of rotate(candidates, round)) {
      showProgress(`  round ${round + 1} of ${rounds}: ${candidate.title}`)
      for (const [name, measures] of Object.entries(await measure(candidate, round))) {
        const before = measured[name]
        measured[name] = { ...before, [candidate.name]: [...(before?.[candidate.name] ?? []), measures] }
      }
    }
  }
  showProgress('')
  return mapValues(measured, (ofName) =>
    mapValues(ofName as Record<string, T[]>, (values) => ({ median: medianOfEach(values), rounds: values })),
  )
}

/**
 * How much more the one costs: the median of the rounds' ratios (or differences). The two of a round were measured within a minute of each other, so
 * what else the machine did then touched both.
 */
export function compareRounds<T>(
  over: Outcome<T> | undefined,
  under: Outcome<T> | undefined,
  read: (measures: T) => number,
  compare = (over: number, under: number) => over / under,
): number | undefined {
  if (over === undefined || under === undefined) return undefined
  const ratios = over.rounds.flatMap((measures, round) => {
    const other = under.rounds[round]
    return other === undefined ? [] : [compare(read(measures), read(other))]
  })
  return median(ratios)
}

function mapValues<T, U>(record: Record<string, T>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]))
}

/** Each round begins with another candidate, and every second one goes backwards. */
function rotate<T>(items: readonly T[], round: number): T[] {
  const start = items.length === 0 ? 0 : round % items.length
  const rotated = [...items.slice(start), ...items.slice(0, start)]
  return round % 2 === 0 ? rotated : rotated.reverse()
}

function showProgress(text: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`)
}
