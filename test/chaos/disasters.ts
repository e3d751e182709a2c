/** What befalls the service and its neighbours in the middle of a run, on purpose. */
import type { Fleet } from './fleet.ts'
import type { Period, Statement } from './history.ts'
import type { Line } from './line.ts'
import type { Random } from './random.ts'
import { until } from './waiting.ts'

export type Kind = 'kill a replica' | 'roll a replica' | 'partner down' | 'stop Redis' | 'kill Redis'

export interface Disaster {
  readonly kind: Kind
  /** After which share of the calls. */
  readonly after: number
}

export interface Scene {
  readonly fleet: Fleet
  readonly line: Line
  readonly statements: readonly Statement[]
  /** Whose callers never come back. */
  readonly abandonedRequestIds: ReadonlySet<string>
  readonly random: Random
  /** Written to. */
  readonly ledgerOutages: Period[]
}

/** Nothing true depends on these: they only bound how long a disaster waits to be worth its while. */
const longestAimMs = 2000
const longestOutageMs = 5000
const longestRecoveryMs = 30_000

export async function strike(kind: Kind, scene: Scene): Promise<void> {
  switch (kind) {
    case 'kill a replica':
      return killReplica(scene)
    case 'roll a replica':
      return scene.random.pick(scene.fleet.replicas).stopAndRestart()
    case 'partner down':
      return takePartnerDown(scene)
    case 'stop Redis':
      return takeLedgerDown('SIGTERM', scene)
    case 'kill Redis':
      return takeLedgerDown('SIGKILL', scene)
    default:
      return kind satisfies never
  }
}

/** At the worst moment there is: something was sent and has not arrived yet, and nobody will ever ask for it again. */
async function killReplica({ fleet, line, abandonedRequestIds, random }: Scene): Promise<void> {
  await until(() => line.heldRequestIds().some((id) => abandonedRequestIds.has(id)), longestAimMs)
  await random.pick(fleet.replicas).killAndRestart()
}

/** Until somebody was told so. */
async function takePartnerDown({ line, statements }: Scene): Promise<void> {
  const from = Date.now()
  await line.goDown()
  await until(() => wasAnswered(statements, '503 partner-unavailable', from), longestOutageMs)
  await line.comeBack()
}

/** Until somebody was told so; and the outage is not over before every replica has noticed that it is. */
async function takeLedgerDown(how: 'SIGTERM' | 'SIGKILL', scene: Scene): Promise<void> {
  const { fleet, statements, ledgerOutages } = scene
  if (fleet.redis === undefined) throw new Error('there is no Redis to take down')
  const from = Date.now()
  await fleet.redis.goDown(how)
  await until(() => wasAnswered(statements, '503 ledger-unavailable', from), longestOutageMs)
  await fleet.redis.comeBack()
  await until(async () => {
    const ready = await Promise.all(fleet.replicas.map((replica) => replica.isReady()))
    return ready.every(Boolean)
  }, longestRecoveryMs)
  ledgerOutages.push({ from, to: Date.now() })
}

/** The latest are looked at first, and none that is older than the disaster. */
function wasAnswered(statements: readonly Statement[], answer: string, since: number): boolean {
  const latest = statements.findLast((statement) => statement.answer === answer || statement.endedAt < since)
  return latest?.answer === answer && latest.endedAt >= since
}
