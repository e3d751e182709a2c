/**
 * `npm run sizing`: what one replica takes at 10, 100 and 1,000 creates per second, and at as many as it carries: the table of
 * docs/how-to-run-it.md. The ledger is PostgreSQL, as in production, the partner is the stand-in of this folder.
 */
import { randomUUID } from 'node:crypto'
import { startPostgres } from '../test/fixtures/postgres.ts'
import { credentials, productId } from './candidates.ts'
import { drive } from './drive.ts'
import { serialiseBody } from './loads.ts'
import { findFreePorts } from './ports.ts'
import { leaveNothingBehind, startProcess } from './process.ts'
import { printRows } from './report.ts'
import { startStandIn } from './stand-in-process.ts'

interface Row {
  readonly title: string
  /** Undefined: as many as it carries. */
  readonly perSecond: number | undefined
  readonly seconds: number
}

const rows: readonly Row[] = [
  { title: '10', perSecond: 10, seconds: 20 },
  { title: '100', perSecond: 100, seconds: 20 },
  { title: '1,000', perSecond: 1000, seconds: 20 },
  { title: 'all it carries', perSecond: undefined, seconds: 20 },
]
const connections = 64
const warmSeconds = 6

async function measureRow(row: Row, partnerUrl: string, ledgerUrl: string): Promise<string[]> {
  const [port, opsPort] = await findFreePorts()
  const url = `http://127.0.0.1:${port}`
  const service = await startProcess({
    name: `sizing-${randomUUID()}`,
    entry: new URL('../src/main.ts', import.meta.url),
    env: {
      PORT: String(port),
      OPS_PORT: String(opsPort),
      AUTH: 'none',
      FREEDOMPAY_BASE_URL: partnerUrl,
      FREEDOMPAY_AUTH_ID: credentials.authId,
      FREEDOMPAY_SECRET_KEY: credentials.secretKey,
      FREEDOMPAY_PRODUCT_ID: String(productId),
      LEDGER_URL: ledgerUrl,
      LEDGER_KEY: 'a-ledger-key-of-the-bench-of-forty-bytes',
    },
    readyUrl: `http://127.0.0.1:${opsPort}/readyz`,
    anyAnswer: false,
    preloaded: true,
  })
  try {
    const load = { urls: [url], body: serialiseBody('typical'), connections, keyed: true }
    const rate = row.perSecond === undefined ? {} : { requestsPerSecond: row.perSecond }
    await drive({ ...load, ...rate, seconds: warmSeconds })
    const before = await service.readCpuMicroseconds()
    const startedAt = performance.now()
    const driven = await drive({ ...load, ...rate, seconds: row.seconds })
    const seconds = (performance.now() - startedAt) / 1000
    const cpuMs = ((await service.readCpuMicroseconds()) - before) / 1000
    if (driven.failed > 0) throw new Error(`at ${row.title} per second failed: ${driven.faults}`)
    return [
      row.title,
      driven.requestsPerSecond.toFixed(0),
      (cpuMs / driven.completed).toFixed(2),
      `${(cpuMs / seconds / 10).toFixed(0)} %`,
      `${(service.readPeakRssBytes() / 2 ** 20).toFixed(0)} MiB`,
      `${driven.p50Ms.toFixed(0)} ms`,
      `${driven.p99Ms.toFixed(0)} ms`,
    ]
  } finally {
    await service.stop()
  }
}

process.once('exit', leaveNothingBehind)
await using parts = new AsyncDisposableStack()
const { url } = await startPostgres({ teardown: (end) => parts.defer(async () => void (await end())) })
const standIn = await startStandIn()
parts.defer(() => standIn.stop())
const measured: string[][] = []
for (const row of rows) measured.push(await measureRow(row, standIn.url, url))
printRows([['creates/s', 'came', 'CPU ms per create', 'CPU of a core', 'peak memory', 'p50', 'p99'], ...measured])
