/** `npm run bench`: see README.md beside this file. */
import { type Candidate, candidates, whySkipped } from './candidates.ts'
import { drawChart } from './chart.ts'
import { compareRatios } from './check.ts'

import { type Bench, compared, groupLoads, type Load, loads, measureGroup } from './loads.ts'
import { idleTitle, measureIdle, measurePeak, peakTitle } from './memory.ts'
import { measureMixed, mixedTitle } from './mixed.ts'
import { type Options, parseOptions, usage } from './options.ts'
import { leaveNothingBehind } from './process.ts'
import { measureReconciler } from './reconciler.ts'
import { measureReplicas } from './replicas.ts'
import { printIdle, printLoad, printMixed, printPeak } from './report.ts'
import { describeEnvironment, type Results, readLatest, toJson, writeResult } from './results.ts'
import { measureInRounds, measureSeveralInRounds } from './rounds.ts'
import { verifySameJob } from './same-job.ts'
import { type SoakResult, soak } from './soak.ts'
import { startStandIn } from './stand-in-process.ts'

const mainLoads = ['typical', 'document-2m']
const quickMixed = ['floor', 'service']

function chooseCandidates({ mode, only }: Options): Candidate[] {
  const unknown = only?.filter((name) => !candidates.some((candidate) => candidate.name === name)) ?? []
  if (unknown.length > 0) throw new Error(`no such candidate: ${unknown.join(', ')}`)
  if (only !== undefined) return candidates.filter(({ name }) => only.includes(name))
  if (mode === 'check') return candidates.filter(({ name }) => compared.includes(name))
  // In memory the ledger keeps every create, and would be taken for a leak.
  if (mode === 'soak') return candidates.filter(({ name }) => name === 'service-key-sqlite')
  return [...candidates]
}

function isChosen({ mode, load }: Options, name: string): boolean {
  if (load !== undefined) return name.startsWith(load)
  return mode === 'full' || mainLoads.includes(name) || (mode === 'quick' && name === 'mixed')
}

function isForAll({ name, forAll }: Load, { mode }: Options): boolean {
  return mode === 'full' ? forAll : name === 'typical'
}

async function measureAll(chosen: readonly Candidate[], options: Options, bench: Bench): Promise<Results> {
  const { rounds, fewRounds } = bench.timing
  const few = chosen.filter(
    ({ name, isVariant }) => compared.includes(name) || (options.only !== undefined && !isVariant),
  )
  // The rest of them take too long for a quick look.
  const forMixed = options.mode === 'quick' ? few.filter(({ name }) => quickMixed.includes(name)) : few
  const results: Results = { environment: describeEnvironment(), timing: bench.timing, skipped: {}, loads: {} }

  for (const group of groupLoads(loads.filter(({ name }) => isChosen(options, name)))) {
    const roundsOf = (load: Load) => (mainLoads.includes(load.name) ? rounds : fewRounds)
    const isFor = (load: Load, candidate: Candidate) =>
      candidate.isVariant ? load.name === 'typical' : few.includes(candidate) || isForAll(load, options)
    const measured = await measureSeveralInRounds(
      chosen.filter((candidate) => group.some((load) => isFor(load, candidate))),
      Math.max(...group.map(roundsOf)),
      (candidate, round) =>
        measureGroup(
          candidate,
          group.filter((load) => isFor(load, candidate) && round < roundsOf(load)),
          bench,
        ),
    )
    for (const load of group) printLoad(load.title, measured[load.name] ?? {})
    Object.assign(results.loads, measured)
  }
  if (isChosen(options, 'mixed')) {
    results.mixed = await measureInRounds(forMixed, fewRounds, (candidate) => measureMixed(candidate, bench))
    printMixed(mixedTitle, results.mixed)
  }
  if (isChosen(options, 'memory')) {
    results.memory = await measureInRounds(few, fewRounds, (candidate) => measurePeak(candidate, bench))
    printPeak(peakTitle, results.memory)
  }
  if (isChosen(options, 'idle')) {
    results.idle = await measureInRounds(few, fewRounds, (candidate) => measureIdle(candidate, bench))
    printIdle(idleTitle, results.idle)
  }
  return results
}

function keepResults(results: Results, { mode, only, load }: Options): void {
  const name = only !== undefined || load !== undefined ? 'partial' : mode === 'full' ? 'latest' : mode
  writeResult(`${name}.json`, toJson(results))
  writeResult(`${name}.svg`, drawChart(results))
}

/** @returns what failed, in words */
async function run(args: string[]): Promise<string[]> {
  const options = parseOptions(args)
  const standIn = await startStandIn()
  const bench: Bench = { standIn, timing: options.timing, faults: [] }
  try {
    if (options.mode === 'reconciler' || options.mode === 'replicas') {
      const measure = options.mode === 'reconciler' ? measureReconciler : measureReplicas
      writeResult(`${options.mode}.json`, toJson(await measure(bench)))
      return bench.faults
    }
    const skipped = Object.fromEntries(
      chooseCandidates(options).flatMap((candidate) => {
        const why = whySkipped(candidate)
        return why === undefined ? [] : [[candidate.name, why]]
      }),
    )
    for (const [name, why] of Object.entries(skipped)) console.log(`Skipped: ${name} (${why})`)
    const chosen = chooseCandidates(options).filter(({ name }) => !(name in skipped))
    for (const candidate of chosen) await verifySameJob(candidate, standIn)
    console.log(`Checked at the partner's end: ${chosen.map(({ name }) => name).join(', ')}`)
    if (chosen.some(({ doesTheJob }) => !doesTheJob)) console.log('* cannot do the job: forwards one signed call only')

    if (options.mode === 'soak') {
      const soaked: Record<string, SoakResult> = {}
      for (const candidate of chosen) soaked[candidate.name] = await soak(candidate, bench)
      writeResult(options.only === undefined ? 'soak.json' : 'partial-soak.json', toJson(soaked))
      return bench.faults
    }
    const results = { ...(await measureAll(chosen, options, bench)), skipped }
    if (options.mode === 'check') return [...bench.faults, ...compareRatios(results, readLatest())]
    // A run with a fault is not one to compare with.
    if (bench.faults.length === 0) keepResults(results, options)
    return bench.faults
  } finally {
    await standIn.stop()
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
process.once('exit', leaveNothingBehind)

if (process.argv.includes('--help')) {
  console.log(usage)
} else {
  const faults = await run(process.argv.slice(2)).catch((error: Error) => [error.message])
  for (const fault of faults) console.error(`FAILED: ${fault}`)
  process.exitCode = faults.length === 0 ? 0 : 1
}
