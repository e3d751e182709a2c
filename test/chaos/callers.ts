/**
 * Callers as sane ones are: the same key for the same intent, whatever happens, and waiting as long as they are told to. They
 * also do what sane callers do without wanting to: hang up in the middle, ask twice at once, and never come back.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createExchanges, type Exchange, type ExchangesParts } from './exchange.ts'
import type { Statement } from './history.ts'
import type { Call, Intent } from './plan.ts'
import { createRandom, type Random } from './random.ts'
import type { Replica } from './replica.ts'

export interface Callers {
  /** Makes all calls, `concurrency` at a time; `onDone` hears of each that has ended. */
  makeCalls(calls: readonly Call[], concurrency: number, onDone: () => void): Promise<void>
  /** GET /clients/requests/{requestId} */
  read(intent: Intent): Promise<Statement>
  close(): Promise<void>
}

export interface CallersParts extends ExchangesParts {
  readonly seed: number
  /** Callers are spread over them, whether they are alive or not. */
  readonly replicas: readonly Replica[]
}

const mostTries = 5
/** "Safe to retry" is believed so often, as not every fault goes away by itself. */
const mostSafeRetries = 2
const mostReads = 3
const giveUpReadingShare = 0.7

const hangUpShare = 0.15
const abandonedHangUpShare = 0.5
/** At once, while the request is still on its way, or any time later. */
const longestBeforeHangUpMs = [20, 800] as const

/** Every time in a run is some eighth of what it is by default, and so is what callers wait. */
const timeShare = 1 / 8
const pauseWhenNothingIsSaidMs = 120
const longestPauseMs = 600

const quotedKeyShare = 0.2
const preferences = [undefined, undefined, 'respond-async', 'wait=0', 'wait=1', 'wait=5', 'respond-async, wait=2']

export function createCallers({ seed, replicas, statements, leaks }: CallersParts): Callers {
  const { exchange, close } = createExchanges({ statements, leaks })
  const readers = createRandom(seed, 'readers')

  async function post({ key, body, isAbandoned }: Intent, random: Random): Promise<Exchange> {
    const prefer = random.pick(preferences)
    const headers = {
      'content-type': 'application/json',
      'idempotency-key': random.chance(quotedKeyShare) ? `"${key}"` : key,
      ...(prefer === undefined ? {} : { prefer }),
    }
    // In any order of its members it is the same body.
    const members = random.shuffle(Object.entries(body))
    const hangUp = new AbortController()
    const isHangingUp = random.chance(isAbandoned ? abandonedHangUpShare : hangUpShare)
    const hangUpAfterMs = random.integer(0, random.pick(longestBeforeHangUpMs))
    const timer = isHangingUp ? setTimeout(() => hangUp.abort(), hangUpAfterMs) : undefined
    const options = { headers, body: JSON.stringify(Object.fromEntries(members)), signal: hangUp.signal }
    const exchanged = await exchange({ key, method: 'POST', replica: random.pick(replicas), path: '/clients', options })
    clearTimeout(timer)
    return exchanged
  }

  function get({ key, requestId }: Intent, random: Random): Promise<Exchange> {
    return exchange({ key, method: 'GET', replica: random.pick(replicas), path: `/clients/requests/${requestId}` })
  }

  async function makeCall({ intent, number }: Call): Promise<void> {
    const random = createRandom(seed, 'call', number)
    const tries = intent.isAbandoned ? 1 : mostTries
    for (let tried = 1; tried <= tries; tried++) {
      const { statement, retryAfterMs } = await post(intent, random)
      if (isOver(statement) || tried === tries) return
      if (statement.says === 'not-created' && tried > mostSafeRetries) return
      const pauseMs = retryAfterMs === undefined ? pauseWhenNothingIsSaidMs : retryAfterMs * timeShare
      await sleep(Math.min(pauseMs * tried, longestPauseMs) * (0.5 + random.next()))
      const isPending = statement.says === 'processing' || statement.says === 'unknown'
      if (isPending && ((await isAnsweredByReading(intent, random)) || tried > 1)) return
    }
  }

  /** Some callers look until it is final, some give up looking, and some ask for it again. */
  async function isAnsweredByReading(intent: Intent, random: Random): Promise<boolean> {
    for (let reads = random.integer(0, mostReads); reads > 0; reads--) {
      const { statement } = await get(intent, random)
      if (isOver(statement)) return true
      await sleep(pauseWhenNothingIsSaidMs)
    }
    return random.chance(giveUpReadingShare)
  }

  return {
    async makeCalls(calls, concurrency, onDone) {
      const waiting = calls.values()
      async function work(): Promise<void> {
        for (const call of waiting) {
          await makeCall(call)
          onDone()
        }
      }
      await Promise.all(Array.from({ length: concurrency }, work))
    },
    read: async (intent) => (await get(intent, readers)).statement,
    close,
  }
}

function isOver({ says }: Statement): boolean {
  return says === 'created' || says === 'rejected'
}
