/** Three replicas on one PostgreSQL behind nginx, restarted one after another while callers create clients. */
import { setTimeout as sleep } from 'node:timers/promises'
import { paths } from '../../src/partner/schema.ts'
import { buildSandbox } from '../../src/sandbox/app.ts'
import { sandboxCredentials } from '../../src/sandbox/credentials.ts'
import type { ChildReport } from '../chaos/child.ts'
import { ledgerKey } from '../chaos/keys.ts'
import { type Replica, startReplica } from '../chaos/replica.ts'
import { until } from '../chaos/waiting.ts'
import { startGatewayOver } from '../fixtures/nginx.ts'
import { skipPostgres, startPostgres } from '../fixtures/postgres.ts'
import { skipWithout } from '../fixtures/tools.ts'
import { type LoadReport, startLoad } from './load.ts'

/** Why nothing can be rolled out here, or false where all is there: the shape that tap takes as `skip`. */
export const skipRollout: string | false = skipPostgres || skipWithout('nginx', '-v')

export interface RolloutOptions {
  readonly perSecond: number
  /** How long the load lasts before, between and after the restarts. */
  readonly pauseMs: number
  /** The program of the version that is there first; this version's where it is undefined. */
  readonly from: string | undefined
  readonly say: (text: string) => void
}

export interface RolloutReport extends LoadReport {
  /** Creates that reached FreedomPay more than once. */
  readonly sentTwice: number
  /** Promises that were not kept; empty as it must be. */
  readonly faults: readonly string[]
}

const replicaNames = ['replica 1', 'replica 2', 'replica 3']
/** As in Kubernetes, a replica still answers for a while after it was told to end. */
const settings = { DOCS: 'off', LOG_LEVEL: 'info', SHUTDOWN_DELAY_MS: '1000', LEDGER_KEY: ledgerKey }

/** A create that was answered 202 is asked about by the reconciler. */
const resolvedWithinMs = 30_000

export async function runRollout({ perSecond, pauseMs, from, say }: RolloutOptions): Promise<RolloutReport> {
  await using parts = new AsyncDisposableStack()
  const owner = { teardown: (end: () => unknown) => parts.defer(async () => void (await end())) }
  const report: ChildReport = { leaks: [], accidents: [], stories: new Map() }
  const postgres = await startPostgres(owner)
  const partner = await startPartner(parts)
  const all = { ...settings, ...partner.settings, LEDGER_URL: postgres.url }
  const replicas = await Promise.all(
    replicaNames.map(async (name) => {
      const replica = await startReplica(name, all, report, from)
      parts.defer(() => replica.stop())
      return replica
    }),
  )
  const gateway = await startGatewayOver(owner, replicas.map(hostOf))

  const load = startLoad(gateway.url, perSecond)
  await sleep(pauseMs)
  for (const [index, replica] of replicas.entries()) {
    const sentBefore = load.sent()
    await gateway.setUpstreams(replicas.filter((other) => other !== replica).map(hostOf))
    await replica.stopAndRestart()
    await gateway.setUpstreams(replicas.map(hostOf))
    say(`${replicaNames[index]} is back; ${load.sent() - sentBefore} creates were sent meanwhile`)
    await sleep(pauseMs)
  }
  const answered = await load.end()
  const isResolved = await until(async () => {
    const unresolved = await Promise.all(replicas.map((replica) => replica.unresolved()))
    return unresolved.every((count) => count === 0)
  }, resolvedWithinMs)
  return { ...answered, ...judge(answered, partner, isResolved, report) }
}

function hostOf(replica: Replica): string {
  return new URL(replica.url()).host
}

interface Partner {
  readonly settings: Record<string, string>
  /** How often the create of each request_id arrived. */
  readonly arrivals: ReadonlyMap<string, number>
  countClients(): number
}

async function startPartner(parts: AsyncDisposableStack): Promise<Partner> {
  const arrivals = new Map<string, number>()
  const sandbox = buildSandbox({
    credentials: sandboxCredentials,
    maxRequests: 1_000_000,
    // A create that is sent twice must be seen, and not be refused.
    acceptsRepeats: true,
    onReceived({ path, body }) {
      if (path !== paths.add) return
      const { request_id: requestId } = JSON.parse(body.toString())
      arrivals.set(requestId, (arrivals.get(requestId) ?? 0) + 1)
    },
  })
  const origin = await sandbox.listen()
  parts.defer(() => sandbox.close())
  const { authId, secretKey } = sandboxCredentials
  return {
    settings: {
      FREEDOMPAY_BASE_URL: origin,
      FREEDOMPAY_AUTH_ID: authId,
      FREEDOMPAY_SECRET_KEY: secretKey,
      FREEDOMPAY_PRODUCT_ID: '1000',
    },
    arrivals,
    countClients: () => sandbox.clients().length,
  }
}

function judge(load: LoadReport, { arrivals, countClients }: Partner, isResolved: boolean, report: ChildReport) {
  const sentTwice = [...arrivals.values()].filter((count) => count > 1).length
  const unsent = load.acceptedRequestIds.filter((requestId) => !arrivals.has(requestId)).length
  const clients = countClients()
  const faults = [
    ...load.failures,
    ...(sentTwice > 0 ? [`${sentTwice} creates reached FreedomPay more than once`] : []),
    ...(unsent > 0 ? [`${unsent} creates were accepted and never sent`] : []),
    ...(clients === load.sent ? [] : [`${load.sent} creates made ${clients} clients`]),
    ...(isResolved ? [] : ['the ledger still has unresolved creates']),
    ...report.accidents,
    ...report.leaks.map((where) => `personal data in ${where}`),
  ]
  return { sentTwice, faults }
}
