/** One run: the parts are started, callers call, disasters strike, and in the end every promise is checked. */
import { sandboxCredentials } from '../../src/sandbox/credentials.ts'
import type { Timings } from '../../src/sandbox/scenarios.ts'
import { createCallers } from './callers.ts'
import type { ChildReport } from './child.ts'
import { type Damage, type Disaster, type Scene, strike } from './disasters.ts'
import { type LedgerKind, startFleet } from './fleet.ts'
import type { History, Statement } from './history.ts'
import { type Partner, startPartner } from './partner.ts'
import { type Intent, makePlan, type PlanOptions } from './plan.ts'
import { findBrokenPromises } from './promises.ts'
import { createRandom } from './random.ts'
import { settle } from './settle.ts'
import { createProgress } from './waiting.ts'

export interface Suite extends PlanOptions {
  readonly name: string
  readonly seed: number
  readonly ledger: LedgerKind
  readonly replicas: number
  /** How many callers there are at a time. */
  readonly concurrency: number
  /** In their order. */
  readonly disasters: readonly Disaster[]
  readonly settings: Record<string, string>
  readonly timings: Partial<Timings>
  /** The partner makes a second client of a repeated request_id. */
  readonly acceptsRepeats: boolean
  readonly lagMs: number
  /** How long the reconciler may take, once all calls are over. Far more than it needs: the machine may be busy. */
  readonly settleWithinMs: number
}

export interface Outcome {
  readonly broken: readonly string[]
  readonly history: History
  readonly lostRows: readonly number[]
  /** What the service logged of each create, and when it arrived at the partner, by its request_id. */
  readonly stories: ReadonlyMap<string, readonly string[]>
  readonly seconds: number
}

export async function runSuite(suite: Suite, say: (text: string) => void): Promise<Outcome> {
  const startedAt = performance.now()
  const { seed } = suite
  const { intents, calls } = makePlan(seed, suite)
  const report: ChildReport = { leaks: [], accidents: [], stories: new Map() }
  const statements: Statement[] = []
  const damage: Damage = { ledgerOutages: [], standStills: [], losses: [], lostRows: [] }

  await using parts = new AsyncDisposableStack()
  const slowRequestIds = toRequestIds(intents.filter(({ isSlow }) => isSlow))
  const partner = await startPartner({ ...suite, slowRequestIds })
  parts.defer(() => partner.close())
  const fleet = await startFleet({ ...suite, settings: { ...suite.settings, ...toSettings(partner) }, report })
  parts.defer(() => fleet.stop())
  const callers = createCallers({ seed, replicas: fleet.replicas, statements, leaks: report.leaks })
  parts.defer(() => callers.close())
  say(`${fleet.replicas.length} of the service ready; ${calls.length} creates over ${intents.length} keys`)

  const progress = createProgress()
  const abandonedRequestIds = toRequestIds(intents.filter(({ isAbandoned }) => isAbandoned))
  const random = createRandom(seed, 'disasters')
  const { line } = partner
  const scene: Scene = { fleet, line, statements, abandonedRequestIds, random, damage, lagMs: suite.lagMs }
  async function playDisasters(): Promise<void> {
    for (const { kind, after } of suite.disasters) {
      await progress.reach(Math.ceil(after * calls.length))
      await strike(kind, scene)
      say(`${kind}, and up again, after ${statements.length} answers`)
    }
  }
  await Promise.all([callers.makeCalls(calls, suite.concurrency, progress.advance), playDisasters()])
  say(`all calls are over after ${statements.length} answers; now the reconciler has its time`)

  const end = await settle(intents, { fleet, callers, partner, withinMs: suite.settleWithinMs })
  await fleet.stop()
  const { lostRows, ...periods } = damage
  const told = { statements, arrivals: partner.arrivals, clients: partner.clients() }
  const mayResend = suite.settings.PARTNER_RESEND !== 'false'
  const { stories, ...found } = report
  for (const { requestId, at } of partner.arrivals) stories.get(requestId)?.push(`the partner: arrived at ${at}`)
  const history: History = { ...end, ...found, ...told, ...periods, mayResend }
  const broken = findBrokenPromises(history)
  return { broken, history, lostRows, stories, seconds: (performance.now() - startedAt) / 1000 }
}

function toRequestIds(intents: readonly Intent[]): Set<string> {
  return new Set(intents.map(({ requestId }) => requestId))
}

function toSettings({ line }: Partner): Record<string, string> {
  return {
    FREEDOMPAY_BASE_URL: line.origin,
    FREEDOMPAY_AUTH_ID: sandboxCredentials.authId,
    FREEDOMPAY_SECRET_KEY: sandboxCredentials.secretKey,
    FREEDOMPAY_PRODUCT_ID: '1000',
  }
}
