/** Callers that do not wait for each other: a new create every so often, as long as the machine carries that. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { canaries, phonePrefix } from '../chaos/plan.ts'

export interface Load {
  /** How many creates have been sent. */
  sent(): number
  /** Sends no more, and resolves once all are answered. */
  end(): Promise<LoadReport>
}

export interface LoadReport {
  readonly sent: number
  readonly seconds: number
  /** How often each answer came, in words. */
  readonly answers: Readonly<Record<string, number>>
  /** What was neither 201 nor 202, the first of each kind with its body. */
  readonly failed: number
  readonly failures: readonly string[]
  readonly acceptedRequestIds: readonly string[]
  readonly p50Ms: number
  readonly p99Ms: number
  readonly longestMs: number
}

const tickMs = 10
const longestBurstMs = 100
/** FreedomPay takes 2 s for one create in twenty, so that there are always some in flight. */
const slowEvery = 20
const slowScenario = '001'
const answerWithinMs = 40_000
/** So many at a time are fewer than the places of two replicas: more would be refused, which is not what a rollout is to show. */
const mostUnderWay = 100

export function startLoad(gateway: string, perSecond: number): Load {
  const dispatcher = new Agent({ headersTimeout: answerWithinMs, bodyTimeout: answerWithinMs })
  const startedAt = performance.now()
  const answers: Record<string, number> = {}
  const failures: string[] = []
  const acceptedRequestIds: string[] = []
  const latenciesMs: number[] = []
  const underWay = new Set<Promise<void>>()
  let sent = 0
  let endedAt: number | undefined

  async function create(index: number): Promise<void> {
    const sentAt = performance.now()
    const { says, requestId, text } = await post(dispatcher, gateway, index)
    latenciesMs.push(performance.now() - sentAt)
    if (/^20[12]$/.test(says) && requestId !== undefined) acceptedRequestIds.push(requestId)
    else if (answers[says] === undefined) failures.push(`${says}: ${text}`)
    answers[says] = (answers[says] ?? 0) + 1
  }

  async function send(): Promise<void> {
    let due = 0
    let lookedAt = startedAt
    while (endedAt === undefined) {
      const now = performance.now()
      // What the machine could not carry for a while is not made up for in one burst.
      due = Math.min(due + ((now - lookedAt) / 1000) * perSecond, Math.max(1, (perSecond * longestBurstMs) / 1000))
      lookedAt = now
      for (; due >= 1 && underWay.size < mostUnderWay; due--) {
        const created = create(sent++).finally(() => underWay.delete(created))
        underWay.add(created)
      }
      await sleep(tickMs)
    }
  }
  const sending = send()

  return {
    sent: () => sent,
    async end() {
      endedAt = performance.now()
      await sending
      await Promise.all(underWay)
      await dispatcher.close()
      const sorted = latenciesMs.toSorted((a, b) => a - b)
      const quantile = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)
      const seconds = (endedAt - startedAt) / 1000
      const times = { p50Ms: quantile(0.5), p99Ms: quantile(0.99), longestMs: quantile(1) }
      const failed = sent - acceptedRequestIds.length
      return { sent, failed, seconds, answers, failures, acceptedRequestIds, ...times }
    },
  }
}

/**
 * On a connection of its own: nginx ends idle connections of callers when it is told of other replicas, and a caller that is just
 * writing to one would take that for a failure of the service.
 */
async function post(dispatcher: Agent, gateway: string, index: number) {
  const scenario = index % slowEvery === 0 ? slowScenario : '999'
  const phone = `+${phonePrefix}${String(index % 10_000).padStart(4, '0')}${scenario}`
  const body = JSON.stringify({ phone, firstName: canaries[0], email: `${canaries[1]}@example.com` })
  const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() }
  try {
    const answer = await request(`${gateway}/clients`, { method: 'POST', headers, body, dispatcher, reset: true })
    const text = await answer.body.text()
    const { code, requestId } = JSON.parse(text) as { code?: string; requestId?: string }
    return { says: [answer.statusCode, code].filter(Boolean).join(' '), requestId, text }
  } catch (error) {
    const { name, message, code } = error as NodeJS.ErrnoException
    return { says: code ?? name, requestId: undefined, text: message }
  }
}
