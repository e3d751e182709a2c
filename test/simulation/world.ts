/** Runs a plan: the real code of each replica, in virtual time, between simulated callers, partner, network and ledger. */
import { Callers } from './callers.ts'
import { Clock, createProcess, type Process } from './clock.ts'
import type { Answer, History, Operation, Send } from './history.ts'
import { SharedLedger } from './ledger.ts'
import { SimulatedDispatcher, type Wire } from './network.ts'
import { Partner } from './partner.ts'
import type { Fault, Form, Plan, TroubleMode } from './plan.ts'
import { createRandom } from './random.ts'
import type { Core, Replica, Request } from './replica.ts'
import { runIn, whenSettled } from './virtual-time.ts'

/** A place where a replica runs; after a death another process runs there. */
interface Seat {
  readonly number: number
  /** How often each place where the process may die or stand still was reached: before the call, and after it. */
  readonly counts: Record<'before' | 'after', Map<string, number>>
  process: Process
  replica: Replica | undefined
  /** What it waits for from outside. */
  readonly phase: string[]
  generation: number
}

export async function runPlan(plan: Plan, core: Core): Promise<History> {
  const world = new World(plan, core)
  await world.run()
  return world.history
}

function emptyHistory(plan: Plan): History {
  return {
    plan,
    statements: [],
    sends: [],
    registrations: [],
    incidents: [],
    changes: [],
    claims: [],
    losses: [],
    stalls: [],
    lastReads: [],
    leftovers: [],
    visited: new Set(),
    endedAt: 0,
  }
}

class World {
  readonly history: History
  readonly clock = new Clock()
  private readonly plan: Plan
  private readonly core: Core
  private readonly outside: Process
  private readonly ledger: SharedLedger
  private readonly partner: Partner
  private readonly seats: Seat[] = []
  private readonly callers: Callers
  private readonly faultsAtPlaces: readonly Extract<Fault, { kind: 'death' | 'freeze' }>[]
  private breakages = 0
  /** Whether code of a replica ran, so that promises may be waiting. */
  private isStirred = false

  constructor(plan: Plan, core: Core) {
    this.plan = plan
    this.core = core
    this.history = emptyHistory(plan)
    this.faultsAtPlaces = plan.faults.filter((fault) => fault.kind === 'death' || fault.kind === 'freeze')
    this.outside = createProcess(this.clock, 'world', plan.seed)
    const openLedger = () => core.openLedger(plan.settings)
    this.ledger = new SharedLedger(plan, this.history, this.outside, openLedger, () => {
      this.isStirred = true
    })
    this.partner = new Partner(plan, this.history)
    this.callers = new Callers(plan, this.history, this.outside, {
      post: (seat, request) => this.ask(seat, (replica) => replica.post(request)),
      read: (seat, caller, requestId) => this.ask(seat, (replica) => replica.read(caller, requestId)),
    })
  }

  async run(): Promise<void> {
    const { plan, clock } = this
    for (let number = 0; number < plan.replicas; number++) this.seats.push(this.start(number))
    for (const fault of plan.faults) this.schedule(fault)
    this.callers.begin()
    const restAt = plan.faultsEndAt + plan.restMs
    await this.runUntil(restAt)
    await this.callers.readAll()
    await this.runUntil(clock.now + 60_000)
    this.history.endedAt = clock.now
    await this.probePlaces()
    await this.stopAll()
  }

  private runUntil(limit: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const goOn = () => {
        try {
          while (this.runNext(limit)) {
            if (!this.isStirred) continue
            whenSettled(goOn)
            return
          }
          this.clock.now = Math.max(this.clock.now, limit)
          resolve()
        } catch (error) {
          reject(error)
        }
      }
      whenSettled(goOn)
    })
  }

  /** False where nothing is to come until `limit`. */
  private runNext(limit: number): boolean {
    const moment = this.clock.take(limit)
    if (moment?.run === undefined) return false
    this.isStirred = moment.owner !== undefined
    if (moment.owner === undefined) moment.run()
    else runIn(moment.owner, moment.run)
    return true
  }

  /** A caller's request to a replica; undefined where nothing answers there. */
  private ask(number: number, work: (replica: Replica) => Promise<Answer>): Promise<Answer> | undefined {
    const seat = this.seats[number % this.seats.length] as Seat
    if (seat.replica === undefined) return undefined
    this.isStirred = true
    const { process, replica } = seat
    return new Promise((resolve) => {
      // Also a request waits for a process that stands still.
      this.clock.after(0, process, () => void work(replica).then(resolve))
    })
  }

  private start(
    number: number,
    generation = 0,
    counts: Seat['counts'] = { before: new Map(), after: new Map() },
  ): Seat {
    const process = createProcess(this.clock, `replica ${number}.${generation}`, this.plan.seed)
    const seat: Seat = { number, counts, process, replica: undefined, phase: [], generation }
    const { settings, networkMs } = this.plan
    const client = {
      replica: number,
      process,
      quietSince: this.clock.now,
      pass: (place: string, isBefore: boolean) => this.pass(seat, place, isBefore),
    }
    const wire: Wire = {
      ...client,
      random: createRandom(this.plan.seed, `network of ${process.name}`),
      networkMs,
      connectTimeoutMs: settings.connectTimeoutMs,
      trouble: () => this.trouble(),
      breakage: (isReused) => this.breakage(isReused),
      sent: (operation, requestId, body) => this.sent(number, operation, requestId, body),
      arrived: (send, trouble) => this.arrived(send, trouble),
    }
    const ledger = this.ledger.connect(client)
    seat.replica = runIn(process, () =>
      this.core.buildReplica({ dispatcher: new SimulatedDispatcher(wire), ledger, settings }),
    )
    if (process.isDead) seat.replica = undefined
    this.isStirred = true
    return seat
  }

  private sent(replica: number, operation: Operation, requestId: string, body: string): Send {
    const phone = operation === 'status' ? this.phoneOf(requestId) : Number(/"phone":(\d+)/.exec(body)?.[1])
    const send: Send = {
      at: this.clock.now,
      replica,
      operation,
      requestId,
      phone,
      arrivedAt: undefined,
      form: undefined,
      words: '',
      answeredAt: undefined,
    }
    this.history.sends.push(send)
    return send
  }

  private phoneOf(requestId: string): number {
    return this.history.sends.find((send) => send.requestId === requestId)?.phone ?? 0
  }

  private arrived(send: Send, trouble: Form | undefined) {
    send.arrivedAt = this.clock.now
    return this.partner.receive(this.clock.now, send, trouble)
  }

  private trouble(): TroubleMode | undefined {
    const { now } = this.clock
    for (const fault of this.plan.faults) {
      if (fault.kind === 'trouble' && now >= fault.from && now < fault.from + fault.forMs) return fault.mode
    }
    return undefined
  }

  private breakage(isReused: boolean) {
    if (this.clock.now >= this.plan.faultsEndAt) return undefined
    this.breakages++
    for (const fault of this.plan.faults) {
      if (fault.kind === 'cut' && fault.nth === this.breakages) {
        this.history.visited.add(`a connection is cut ${fault.arrives ? 'after' : 'before'} the arrival`)
        return fault
      }
      if (fault.kind === 'stale' && isReused && this.breakages >= fault.nth && this.breakages < fault.nth + 3) {
        this.history.visited.add(`a stale connection is cut ${fault.arrives ? 'after' : 'before'} the arrival`)
        return { arrives: fault.arrives, afterMs: 1 }
      }
    }
    return undefined
  }

  /** The process has come to a place where it may die or stand still. False where it is dead. */
  private pass(seat: Seat, place: string, isBefore: boolean): boolean {
    const { process, number } = seat
    if (process.isDead) return false
    if (isBefore) seat.phase.push(place)
    else if (seat.phase.at(-1) === place) seat.phase.pop()
    else seat.phase.splice(seat.phase.lastIndexOf(place), 1)
    if (this.clock.now >= this.plan.faultsEndAt) return true
    const counts = seat.counts[isBefore ? 'before' : 'after']
    const count = (counts.get(place) ?? 0) + 1
    counts.set(place, count)
    for (const fault of this.faultsAtPlaces) {
      if (fault.place !== place || fault.nth !== count || fault.replica % this.plan.replicas !== number) continue
      if (fault.kind === 'death' && fault.isBefore === isBefore) {
        this.die(seat, fault.downMs, `${isBefore ? 'before' : 'after'} ${place}`)
        return false
      }
      if (fault.kind === 'freeze' && !isBefore) {
        this.freeze(seat, Math.min(fault.forMs, this.plan.faultsEndAt - this.clock.now), fault.isInputFirst, place)
      }
    }
    return true
  }

  private freeze(seat: Seat, forMs: number, isInputFirst: boolean, place: string): void {
    const { now } = this.clock
    this.tell(`replica ${seat.number} stands still for ${forMs} ms, after ${place}`)
    this.history.visited.add(`standing still after ${place}`)
    this.history.stalls.push({ replica: seat.number, from: now, to: now + forMs })
    seat.process.frozenUntil = now + forMs
    seat.process.isInputFirst = isInputFirst
  }

  private die(seat: Seat, downMs: number, where: string): void {
    const { number } = seat
    if (seat.process.isDead) return
    this.tell(`replica ${number} dies ${where}, for ${downMs} ms`)
    this.history.visited.add(`death ${where}`)
    seat.process.isDead = true
    seat.replica = undefined
    this.callers.lose(number)
    this.clock.after(downMs, undefined, () => {
      this.tell(`replica ${number} starts again`)
      this.seats[number] = this.start(number, seat.generation + 1, seat.counts)
    })
  }

  private schedule(fault: Fault): void {
    const { clock, plan } = this
    switch (fault.kind) {
      case 'death-at':
        clock.after(fault.at, undefined, () => {
          const seat = this.seats[fault.replica % plan.replicas] as Seat
          this.die(seat, fault.downMs, `during ${seat.phase.at(-1) ?? 'nothing'}`)
        })
        break
      case 'wall-clock':
        clock.after(fault.at, undefined, () => {
          this.tell(
            `the wall clock of ${fault.replica < 0 ? 'the ledger' : `replica ${fault.replica}`} steps by ${fault.byMs} ms`,
          )
          this.history.visited.add('a step of the wall clock')
          if (fault.replica < 0) this.ledger.stepWallClock(fault.byMs)
          else (this.seats[fault.replica % plan.replicas] as Seat).process.wallOffsetMs += Math.round(fault.byMs)
        })
        break
      case 'ledger-loses':
        clock.after(fault.at, undefined, () => {
          this.tell(`the ledger loses ${fault.lastMs === Infinity ? 'everything' : `its last ${fault.lastMs} ms`}`)
          this.history.visited.add(
            fault.lastMs === Infinity ? 'the ledger comes back empty' : 'the ledger loses its last second',
          )
          this.ledger.lose(fault.lastMs)
        })
        break
      case 'ledger':
      case 'trouble':
        clock.after(fault.from, undefined, () => {
          this.tell(`for ${fault.forMs} ms: ${fault.kind === 'ledger' ? 'the ledger' : 'the partner'} ${fault.mode}`)
          if (fault.kind === 'trouble') this.history.visited.add(`the partner: ${fault.mode}`)
        })
        break
      default:
    }
  }

  private tell(text: string): void {
    this.history.incidents.push({ at: this.clock.now, text })
  }

  /** In the end as many creates at once as there are places must all be taken, or a second time, as a circuit may still be open. */
  private async probePlaces(): Promise<void> {
    // One place that is lost among many would not be missed.
    if (this.plan.settings.places > 2) return
    const first = await this.fillPlaces(1)
    if (first.length === 0) return
    this.history.leftovers.push(...(await this.fillPlaces(2)))
  }

  /** What goes wrong with as many creates at once as there are places. */
  private async fillPlaces(round: number): Promise<string[]> {
    const count = this.plan.settings.places
    const answers: { seat: number; answer: Answer }[] = []
    for (const { number } of this.seats) {
      for (let n = 0; n < count; n++) {
        const phone = 1000 * round + number * 10 + n
        const request: Request = { caller: 'probe', key: `probe-${phone}`, phone, wait: undefined }
        void this.ask(number, (replica) => replica.post(request))?.then((answer) =>
          answers.push({ seat: number, answer }),
        )
      }
    }
    await this.runUntil(this.clock.now + 2 * this.plan.settings.deadlineMs)
    const refusals = answers
      .filter(({ answer }) => answer.says === 'problem' || answer.says === 'fault')
      .map(({ seat, answer }) => `in the end a healthy create on replica ${seat} is told ${answer.code ?? answer.says}`)
    if (answers.length < count * this.seats.length) refusals.push('in the end a create is not answered')
    return refusals
  }

  private async stopAll(): Promise<void> {
    let stopped = 0
    for (const { process, replica } of this.seats) {
      if (replica !== undefined) void runIn(process, () => replica.stop()).then(() => stopped++)
    }
    this.ledger.endQuiet()
    await this.runUntil(this.clock.now + 60_000)
    if (stopped < this.seats.length) this.history.leftovers.push('a replica does not stop')
    for (const { number, process } of this.seats) {
      if (!process.isDead && process.timers > 0)
        this.history.leftovers.push(`replica ${number} has ${process.timers} timers left`)
    }
  }
}
