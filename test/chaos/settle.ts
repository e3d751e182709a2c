/** The end of a run: the reconciler gets its time, then the service and the partner are asked about every intent. */
import type { Callers } from './callers.ts'
import type { Fleet } from './fleet.ts'
import type { KnownIntent, Statement } from './history.ts'
import type { Partner } from './partner.ts'
import type { Intent } from './plan.ts'
import { until } from './waiting.ts'

interface Parts {
  readonly fleet: Fleet
  readonly callers: Callers
  readonly partner: Partner
  readonly withinMs: number
}

export interface End {
  readonly intents: readonly KnownIntent[]
  readonly lastReads: ReadonlyMap<string, Statement>
  readonly unresolved: readonly number[]
}

const lookAgainMs = 500
const readsAtOnce = 16

export async function settle(intents: readonly Intent[], { fleet, callers, partner, withinMs }: Parts): Promise<End> {
  const endless = intents.filter(isEndless).length
  const lastReads = new Map<string, Statement>()

  function readAll(): Promise<void> {
    return eachAtOnce(intents, async (intent) => {
      lastReads.set(intent.key, await callers.read(intent))
    })
  }

  async function isSettled(): Promise<boolean> {
    if (Math.max(...(await readUnresolved(fleet))) > endless) return false
    await readAll()
    return intents.every((intent) => isLastWord(intent, lastReads.get(intent.key)))
  }

  if (await until(isSettled, withinMs, lookAgainMs)) {
    // What nobody has asked about until now arrives now; and again, as it may have led to something that only begins now.
    await partner.line.deliverAll()
    await until(isSettled, withinMs, lookAgainMs)
  } else {
    await readAll()
  }

  const known: KnownIntent[] = []
  await eachAtOnce(intents, async ({ key, requestId, scenario, body }) => {
    known.push({ key, requestId, scenario, phone: body.phone, truth: await partner.tellTruth(requestId) })
  })
  return { intents: known, lastReads, unresolved: await readUnresolved(fleet) }
}

/** The partner says `process` for ever. */
function isEndless({ scenario }: Intent): boolean {
  return scenario === '010'
}

function isLastWord(intent: Intent, read: Statement | undefined): boolean {
  switch (read?.says) {
    case 'created':
      return read.clientId !== undefined
    case 'processing':
      return isEndless(intent)
    case 'rejected':
    case 'not-created':
    case 'absent':
      return true
    default:
      return false
  }
}

function readUnresolved({ replicas }: Fleet): Promise<number[]> {
  return Promise.all(replicas.map((replica) => replica.unresolved()))
}

async function eachAtOnce<T>(items: readonly T[], visit: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values()
  async function work(): Promise<void> {
    for (const item of waiting) await visit(item)
  }
  await Promise.all(Array.from({ length: readsAtOnce }, work))
}
