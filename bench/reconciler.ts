/** Creates whose outcome is unknown: how fast the service learns them from a partner that answers in 5 ms. */
import { randomUUID } from 'node:crypto'
import { get } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { pino } from 'pino'
import type { Ledger } from '../src/ledger/ledger.ts'
import { openLedger } from '../src/ledger/open.ts'
import { type Candidate, candidates, startCandidate } from './candidates.ts'
import { type LedgerKind, prepareLedger, whyNoLedger } from './ledgers.ts'
import type { Bench } from './loads.ts'
import { printRows } from './report.ts'

export interface ReconcilerMeasures {
  readonly rows: number
  /** From the first question to the last outcome. */
  readonly seconds: number
  readonly rowsPerSecond: number
  readonly cpuMicroseconds: number
}

const kinds = ['sqlite', 'redis', 'postgres'] as const satisfies readonly LedgerKind[]
const unknownRows = 10_000
const partnerMs = 5
const limitMs = 120_000
const claimMs = 1
const writtenAtOnce = 100

export async function measureReconciler(bench: Bench): Promise<Record<string, ReconcilerMeasures>> {
  const results: Record<string, ReconcilerMeasures> = {}
  await bench.standIn.setDelay(partnerMs)
  try {
    for (const kind of kinds) {
      const why = whyNoLedger(kind)
      if (why === undefined) results[kind] = await measure(kind, bench)
      else console.log(`Skipped: ${kind} (${why})`)
    }
  } finally {
    await bench.standIn.setDelay(0)
  }
  console.log(
    `\n${unknownRows} unknown rows, one replica, partner answers in ${partnerMs} ms, RECONCILER_CONCURRENCY as it is`,
  )
  printRows([
    ['', 'rows/s', 'seconds', 'CPU µs/row'],
    ...Object.entries(results).map(([kind, { rowsPerSecond, seconds, cpuMicroseconds }]) => [
      kind,
      rowsPerSecond.toFixed(0),
      seconds.toFixed(1),
      cpuMicroseconds.toFixed(0),
    ]),
  ])
  return results
}

async function measure(kind: (typeof kinds)[number], { standIn, faults }: Bench): Promise<ReconcilerMeasures> {
  const candidate = candidates.find(({ name }) => name === `service-key-${kind}`) as Candidate
  const ledger = await prepareLedger(kind)
  try {
    await fill(ledger.env.LEDGER_URL ?? '')
    const asked = (await standIn.readCounts()).statuses
    const started = await startCandidate(candidate, standIn.url, { sharedLedger: ledger })
    try {
      const limitAt = performance.now() + limitMs
      while ((await standIn.readCounts()).statuses === asked && performance.now() < limitAt) await wait(1)
      const startedAt = performance.now()
      const cpuBefore = await started.readCpuMicroseconds()
      // The metrics count every open row, so they are asked for only once each row has had its question.
      const isAsked = async () => (await standIn.readCounts()).statuses >= asked + unknownRows
      while (!(await isAsked()) && performance.now() < limitAt) await wait(20)
      while ((await readUnresolved(started.opsUrl ?? '')) > 0 && performance.now() < limitAt) await wait(100)
      const seconds = (performance.now() - startedAt) / 1000
      const cpu = (await started.readCpuMicroseconds()) - cpuBefore
      const left = await readUnresolved(started.opsUrl ?? '')
      if (left > 0) faults.push(`${kind}: ${left} of ${unknownRows} rows are unknown after ${limitMs / 1000} s`)
      const rows = unknownRows - left
      return { rows, seconds, rowsPerSecond: rows / seconds, cpuMicroseconds: cpu / rows }
    } finally {
      await started.stop()
    }
  } finally {
    await ledger.remove()
  }
}

/** Rows of a process that crashed after sending. */
async function fill(url: string): Promise<void> {
  const ledger = await openLedger({ url, retentionMs: 3_600_000 }, pino({ level: 'silent' }))
  try {
    await untilConnected(ledger)
    for (let written = 0; written < unknownRows; written += writtenAtOnce) {
      await Promise.all(
        Array.from({ length: writtenAtOnce }, async () => {
          const [requestId, claimToken] = [randomUUID(), randomUUID()]
          const of = { keyId: undefined, caller: 'anonymous', fingerprint: '' }
          await ledger.claim({ requestId, ...of, claimToken, deadlineMs: claimMs })
          await ledger.record(requestId, claimToken, { state: 'unknown' })
        }),
      )
    }
  } finally {
    await ledger.close()
  }
}

/** The database answers; its client may still be connecting. */
async function untilConnected(ledger: Ledger): Promise<void> {
  const limitAt = performance.now() + 10_000
  for (;;) {
    try {
      return await ledger.probe()
    } catch (error) {
      if (performance.now() > limitAt) throw error
      await wait(20)
    }
  }
}

async function readUnresolved(opsUrl: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  get(`${opsUrl}/metrics`, (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('end', () => resolve(Buffer.concat(chunks).toString()))
  }).on('error', reject)
  const value = /^ledger_unresolved (\d+)$/m.exec(await promise)?.[1]
  if (value === undefined) throw new Error('no ledger_unresolved among the metrics')
  return Number(value)
}
