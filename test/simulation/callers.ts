/** Who asks for clients: callers that repeat, take new keys where they are told that it is safe, read, or never come back. */
import type { Preference } from '../../src/clients/create/prefer-header.ts'
import type { Clock, Process } from './clock.ts'
import type { Answer, History, Statement } from './history.ts'
import type { Call, Intent, Plan } from './plan.ts'
import { createRandom } from './random.ts'
import type { Request } from './replica.ts'

export interface Service {
  post(replica: number, request: Request): Promise<Answer> | undefined
  read(replica: number, caller: string, requestId: string): Promise<Answer> | undefined
}

type Told = Omit<Statement, keyof Answer | 'at'>

const keyReused = 'idempotency-key-reused'

export class Callers {
  private readonly plan: Plan
  private readonly history: History
  private readonly clock: Clock
  private readonly outside: Process
  private readonly service: Service
  private readonly open = new Map<Told, (statement: Statement) => void>()
  private asked = 0

  constructor(plan: Plan, history: History, outside: Process, service: Service) {
    this.plan = plan
    this.history = history
    this.clock = outside.clock
    this.outside = outside
    this.service = service
  }

  begin(): void {
    this.plan.calls.forEach((call, number) => {
      this.clock.after(call.at, this.outside, () => void this.pursue(call, number))
    })
  }

  /** The connections to a replica that has died. */
  lose(replica: number): void {
    for (const [told, tell] of this.open) {
      if (told.replica % this.plan.replicas === replica) tell({ ...told, says: 'cut', at: this.clock.now })
    }
  }

  /** One last look at every request that anybody was told of. */
  async readAll(): Promise<void> {
    const { statements, sends } = this.history
    const requestIds = new Set([...statements, ...sends].flatMap(({ requestId }) => requestId ?? []))
    for (const requestId of requestIds) {
      const phone = sends.find((send) => send.requestId === requestId)?.phone
      // A key that was used twice is told the earlier person's request.
      const told = statements.find((each) => each.requestId === requestId && each.code !== keyReused)
      const sentFor = this.plan.intents.findIndex((each) => each.phone === phone)
      const intent = sentFor >= 0 ? sentFor : (told?.intent ?? -1)
      if (this.plan.intents[intent] === undefined) continue
      void this.exchange('GET', intent, undefined, 0, undefined, requestId).then((read) =>
        this.history.lastReads.push(read),
      )
    }
  }

  private async pursue(call: Call, number: number): Promise<void> {
    const { habit, pauseMs, tries } = call
    const random = createRandom(this.plan.seed, `call ${number}`)
    let { key } = this.plan.intents[call.intent] as Intent
    let replica = call.replica
    for (let left = tries; left > 0; left--) {
      const told = await this.exchange('POST', call.intent, key, replica, call.wait)
      if (habit === 'leaves') return
      await this.pause(Math.max(told.retryAfterMs ?? 0, pauseMs))
      replica = random.below(this.plan.replicas)
      const last = await this.readSometimes(call, told, replica)
      const isFree = told.safeToRetry === 'yes' || last?.says === 'not-created'
      // Without a key a repetition is another create, which the caller makes only where it is told that it may.
      if (key === undefined && !isFree) return
      if (habit === 'takes-a-new-key' && isFree && key !== undefined) key = `${key}+`
    }
  }

  private async readSometimes(
    call: Call,
    { requestId, code }: Statement,
    replica: number,
  ): Promise<Statement | undefined> {
    if (call.habit === 'repeats' || requestId === undefined || code === keyReused) return undefined
    return await this.exchange('GET', call.intent, undefined, replica, undefined, requestId)
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(ms, this.outside, resolve)
    })
  }

  private exchange(
    method: 'POST' | 'GET',
    intent: number,
    key: string | undefined,
    replica: number,
    wait: Preference['wait'],
    requestId?: string,
  ): Promise<Statement> {
    const { caller, phone } = this.plan.intents[intent] as Intent
    const told: Told = { number: this.asked++, method, replica, intent, key, wait, startedAt: this.clock.now }
    return new Promise((resolve) => {
      const tell = (statement: Statement) => {
        if (!this.open.delete(told)) return
        this.history.statements.push(statement)
        resolve(statement)
      }
      this.open.set(told, tell)
      const answer =
        method === 'POST'
          ? this.service.post(replica, { caller, key, phone, wait })
          : this.service.read(replica, caller, requestId ?? '')
      if (answer === undefined) tell({ ...told, requestId, says: 'cut', at: this.clock.now })
      else
        void answer.then((given) =>
          tell({ ...told, ...given, requestId: given.requestId ?? requestId, at: this.clock.now }),
        )
    })
  }
}
