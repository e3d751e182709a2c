/** What befalls the service and its neighbours in the middle of a run, on purpose. */
import type { Fleet } from './fleet.ts'
import type { Period, Statement } from './history.ts'
import type { Line } from './line.ts'
import type { Random } from './random.ts'
import { until } from './waiting.ts'

export type Kind =
  | 'kill a replica'
  | 'roll a replica'
  | 'stop a replica after its claim'
  | 'partner down'
  | 'stop Redis'
  | 'kill Redis'
  | 'Redis loses its last second'
  | 'fail over PostgreSQL'
  | 'fail over Redis'

export interface Disaster {
  readonly kind: Kind
  /** After which share of the calls. */
  readonly after: number
}

/** What disasters did, written by them. */
export interface Damage {
  readonly ledgerOutages: Period[]
  readonly standStills: Period[]
  readonly losses: Period[]
  /** Rows that were lost, for each failover of Redis. */
  readonly lostRows: number[]
}

export interface Scene {
  readonly fleet: Fleet
  readonly line: Line
  readonly statements: readonly Statement[]
  /** Whose callers never come back. */
  readonly abandonedRequestIds: ReadonlySet<string>
  readonly random: Random
  readonly damage: Damage
  /** How far the replica of a Redis is behind when its primary dies. */
  readonly lagMs: number
}

/** Nothing true depends on these: they only bound how long a disaster waits to be worth its while. */
const longestAimMs = 2000
const longestOutageMs = 5000
const longestRecoveryMs = 30_000

/** Longer than a create may take. */
const standStillMs = 5000

export async function strike(kind: Kind, scene: Scene): Promise<void> {
  switch (kind) {
    case 'kill a replica':
      return killReplica(scene)
    case 'roll a replica':
      return scene.random.pick(scene.fleet.replicas).stopAndRestart()
    case 'stop a replica after its claim':
      return stopAfterClaim(scene)
    case 'partner down':
      return takePartnerDown(scene)
    case 'stop Redis':
      return takeLedgerDown('SIGTERM', scene)
    case 'kill Redis':
      return takeLedgerDown('SIGKILL', scene)
    case 'Redis loses its last second':
      return loseLastSecond(scene)
    case 'fail over PostgreSQL':
      return failOverPostgres(scene)
    case 'fail over Redis':
      return failOverRedis(scene)
    default:
      return kind satisfies never
  }
}

/** At the worst moment there is: something was sent and has not arrived yet, and its caller will never ask for it again. */
async function killReplica({ fleet, line, abandonedRequestIds, random }: Scene): Promise<void> {
  await until(() => line.heldRequestIds().some((id) => abandonedRequestIds.has(id)), longestAimMs)
  await random.pick(fleet.replicas).killAndRestart()
}

/** The claim's answer is there, the process has not read it. When it goes on, the time of the claim is over. */
async function stopAfterClaim({ fleet, random, damage }: Scene): Promise<void> {
  const chosen = random.integer(0, fleet.replicas.length - 1)
  const [replica, line] = [fleet.replicas[chosen], fleet.ledgerLines[chosen]]
  if (replica === undefined || line === undefined) throw new Error('there is no line to the ledger')
  const { promise: isOver, resolve } = Promise.withResolvers<void>()
  let from = 0
  const isStopped = line.stopAtNextClaim(() => {
    from = Date.now()
    void replica.standStill(standStillMs).then(resolve)
  })
  const wasStopped = isStopped.then(() => true)
  if (!(await Promise.race([wasStopped, until(() => false, longestRecoveryMs)]))) return
  await isOver
  await until(() => replica.isReady(), longestRecoveryMs)
  damage.standStills.push({ from, to: Date.now() })
}

/** Until a caller was told so. */
async function takePartnerDown({ line, statements }: Scene): Promise<void> {
  const from = Date.now()
  await line.goDown()
  await until(() => wasAnswered(statements, '503 partner-unavailable', from), longestOutageMs)
  await line.comeBack()
}

async function takeLedgerDown(how: 'SIGTERM' | 'SIGKILL', scene: Scene): Promise<void> {
  const redis = given(scene.fleet.redis)
  const from = Date.now()
  await redis.goDown(how)
  await untilRefused(scene, from)
  await redis.comeBack()
  await endOutage(scene, from)
}

async function loseLastSecond(scene: Scene): Promise<void> {
  const from = Date.now()
  const diesAt = await given(scene.fleet.redis).loseTheLast(1000)
  scene.damage.losses.push({ from, to: await endOutage(scene, diesAt) })
}

async function failOverPostgres(scene: Scene): Promise<void> {
  const pair = given(scene.fleet.postgresPair)
  const from = Date.now()
  await pair.killPrimary()
  await untilRefused(scene, from)
  await pair.promote()
  await endOutage(scene, from)
  await pair.renewStandby()
}

async function failOverRedis(scene: Scene): Promise<void> {
  const { fleet, damage, lagMs } = scene
  const pair = given(fleet.redisPair)
  const lossFrom = Date.now()
  let from = lossFrom
  const lost = await pair.failOver(lagMs, () => {
    from = Date.now()
    return untilRefused(scene, from)
  })
  for (const line of fleet.ledgerLines) line.leadTo(pair.port())
  const to = await endOutage(scene, from)
  damage.losses.push({ from: lossFrom, to })
  damage.lostRows.push(lost)
  await pair.renewReplica()
}

/** Until a caller was told so. */
function untilRefused({ statements }: Scene, from: number): Promise<boolean> {
  return until(() => wasAnswered(statements, '503 ledger-unavailable', from), longestOutageMs)
}

/** The outage is not over before every replica has noticed that it is. */
async function endOutage({ fleet, damage }: Scene, from: number): Promise<number> {
  await until(async () => {
    const ready = await Promise.all(fleet.replicas.map((replica) => replica.isReady()))
    return ready.every(Boolean)
  }, longestRecoveryMs)
  const to = Date.now()
  damage.ledgerOutages.push({ from, to })
  return to
}

function given<T>(ledger: T | undefined): T {
  if (ledger === undefined) throw new Error('this fleet has another ledger')
  return ledger
}

/** The latest are looked at first, and none that is older than the disaster. */
function wasAnswered(statements: readonly Statement[], answer: string, since: number): boolean {
  const latest = statements.findLast((statement) => statement.answer === answer || statement.endedAt < since)
  return latest?.answer === answer && latest.endedAt >= since
}
