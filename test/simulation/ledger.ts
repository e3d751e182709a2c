/** One ledger for all replicas of a world: the real memory engine, behind everything that a database can do to its callers. */
import type { Change, Ledger, RecordResult } from '../../src/ledger/ledger.ts'
import { firstAskAfterMs, graceMs } from '../../src/ledger/rules.ts'
import { createProcess, type Process } from './clock.ts'
import type { History } from './history.ts'
import type { LedgerMode, Plan } from './plan.ts'
import { createRandom, type Random } from './random.ts'
import { runIn } from './virtual-time.ts'

type Method = (...args: unknown[]) => Promise<unknown>
type Methods = Record<string, Method>

/** What a replica's process is for its ledger. */
export interface Client {
  readonly replica: number
  readonly process: Process
  /** When it last had a row to ask about. */
  quietSince: number
  pass(place: string, isBefore: boolean): boolean
}

/** Longest that a real engine leaves a call unanswered; after it the call is rejected, whether or not it has acted. */
const longestStallMs = 2_000
/** A database that stood still goes on with the statements that have reached it. */
const longestLatenessMs = 5_000
/**
 * While nothing is due, the answer to "what is due" is held for so many times the quiet time, so that days take seconds. It
 * comes as soon as a row may be due.
 */
const quietShare = 20
const leastHoldMs = 200

export class SharedLedger {
  private readonly plan: Plan
  private readonly history: History
  private readonly process: Process
  private readonly random: Random
  private readonly open: () => Ledger
  /** Tells the world that code of a replica goes on. */
  private readonly wake: () => void
  private engine: Methods
  private journal: { at: number; name: string; args: unknown[]; order: number }[] = []
  private readonly keepsJournal: boolean
  private order = 0
  private readonly counts = new Map<string, number>()
  private readonly states = new Map<string, string>()
  /** When each row is due at the earliest, as far as the writes tell. */
  private readonly dueAt = new Map<string, number>()
  private isQuiet = true
  /** Of each replica whose question "what is due" is held, how to answer it. */
  private readonly held = new Map<() => void, Process>()

  constructor(plan: Plan, history: History, world: Process, open: () => Ledger, wake: () => void) {
    this.plan = plan
    this.history = history
    this.process = createProcess(world.clock, 'ledger', plan.seed)
    this.random = createRandom(plan.seed, 'ledger delays')
    this.open = open
    this.wake = wake
    this.engine = this.openEngine()
    this.keepsJournal = plan.faults.some(({ kind }) => kind === 'ledger-loses')
  }

  stepWallClock(byMs: number): void {
    this.process.wallOffsetMs += byMs
    this.resumeHeld()
  }

  /** What was written in the last `lastMs` is gone: nearly all of it was synced, this was not. */
  lose(lastMs: number): void {
    const { clock } = this.process
    const kept = this.journal.filter(({ at }) => at < clock.now - lastMs)
    this.history.losses.push(clock.now)
    this.dueAt.clear()
    this.journal = kept
    this.engine = this.openEngine()
    for (const { at, name, args, order } of kept) {
      this.process.shiftMs = at - clock.now
      this.act(name, args, order)
    }
    this.process.shiftMs = 0
    this.resumeHeld()
  }

  /** The ledger as one replica sees it: the engine's methods, whatever they are called. */
  connect(client: Client): Ledger {
    const methods = Object.fromEntries(
      Object.keys(this.engine).map((name): [string, Method] => [name, (...args) => this.call(client, name, args)]),
    )
    // The engine has these methods; each keeps its arguments and its answer.
    return { ...methods, close: async () => undefined } as unknown as Ledger
  }

  /** A row that is put off must not wait for the end of a long quiet time. */
  private resumeAfter(pauseMs: number, requestId: string, isCertain = true): void {
    const { clock } = this.process
    const dueAt = clock.now + pauseMs
    if (isCertain || dueAt < (this.dueAt.get(requestId) ?? Infinity)) this.dueAt.set(requestId, dueAt)
    if (dueAt === Infinity) return
    // A later write may have put the row off again.
    clock.after(pauseMs, undefined, () => {
      if ((this.dueAt.get(requestId) ?? 0) <= dueAt) this.resumeOne()
    })
  }

  /** One is enough to take what is due; rather one that can. */
  private resumeOne(): void {
    const { now } = this.process.clock
    let chosen: (() => void) | undefined
    for (const [resume, process] of this.held) {
      if (process.isDead) this.held.delete(resume)
      else if (chosen === undefined || process.frozenUntil <= now) chosen = resume
    }
    chosen?.()
  }

  /** From now on nothing is held. */
  endQuiet(): void {
    this.isQuiet = false
    this.resumeHeld()
  }

  private resumeHeld(): void {
    for (const resume of this.held.keys()) resume()
  }

  private openEngine(): Methods {
    return runIn(this.process, this.open) as unknown as Methods
  }

  private act(name: string, args: unknown[], order: number): Promise<unknown> {
    if (this.keepsJournal) this.process.random = createRandom(this.plan.seed, `ledger ${order}`)
    return runIn(this.process, () => (this.engine[name] as Method)(...args))
  }

  private async call(client: Client, name: string, args: unknown[]): Promise<unknown> {
    if (!client.pass(name, true)) return never()
    const mode = this.modeOf(name)
    if (mode !== undefined) this.history.visited.add(`the ledger ${mode} during ${name}`)
    // Idle replicas ask all the time, and to ask later is all that a delay would do.
    const isQuick = name === 'takeDue'
    if (!isQuick) await this.delay(client)
    if (mode === 'stalls') await this.delay(client, this.random.ms(100, longestStallMs))
    if (mode === 'fails-before' || (mode === 'full' && isWriting(name))) throw new Error(`ledger: ${mode}`)
    if (mode === 'acts-late') {
      this.process.clock.after(this.random.ms(1, longestLatenessMs), undefined, () => {
        this.wake()
        void this.perform(name, args, client.replica)
      })
      throw new Error('ledger: no answer')
    }
    let result = await this.perform(name, args, client.replica)
    if (name === 'takeDue' && mode === undefined) result = await this.holdWhileQuiet(client, args, result)
    if (!client.pass(name, false)) return never()
    if (!isQuick) await this.delay(client)
    if (mode === 'fails-after') throw new Error('ledger: the answer was lost')
    return result
  }

  private async perform(name: string, args: unknown[], replica: number): Promise<unknown> {
    const order = this.order++
    if (this.keepsJournal) this.journal.push({ at: this.process.clock.now, name, args, order })
    const result = await this.act(name, args, order)
    this.resumeWhenDue(name, args, result)
    this.note(result)
    if (isGiven(name, result)) this.noteClaim(args[0] as AskedClaim, replica)
    return result
  }

  /** What was written may make a row due. */
  private resumeWhenDue(name: string, args: unknown[], result: unknown): void {
    switch (name) {
      case 'claim':
      case 'renew': {
        const { deadlineMs, requestId } = args[0] as AskedClaim
        if (isGiven(name, result)) this.resumeAfter(deadlineMs + graceMs, requestId)
        break
      }
      case 'record':
        if (isTaken(result)) this.resumeAfter(firstAskAfterMs(args[2] as Change) ?? Infinity, result.row.requestId)
        break
      case 'postpone': {
        // The ledger does not tell whether the row was still as it must be.
        const { pauseMs = Infinity, requestId } = args[0] as AskedPostponement
        this.resumeAfter(pauseMs, requestId, false)
        break
      }
      case 'takeDue':
        for (const { requestId } of rowsIn(result)) this.resumeAfter(Number(args[0]), requestId)
        break
      default:
    }
  }

  /** Idle replicas ask twice a second. Days of that would be all that a world does. */
  private async holdWhileQuiet(client: Client, args: unknown[], found: unknown): Promise<unknown> {
    const { clock } = this.process
    if (!isEmpty(found)) client.quietSince = clock.now
    const holdMs = (clock.now - client.quietSince) * quietShare
    if (!this.isQuiet || !isEmpty(found) || holdMs < leastHoldMs) return found
    await new Promise<void>((resolve) => {
      const resume = () => {
        this.held.delete(resume)
        this.wake()
        resolve()
      }
      this.held.set(resume, client.process)
      clock.after(holdMs, client.process, resume)
    })
    return this.perform('takeDue', args, client.replica)
  }

  private modeOf(name: string): LedgerMode | undefined {
    const { now } = this.process.clock
    const count = (this.counts.get(name) ?? 0) + 1
    this.counts.set(name, count)
    for (const fault of this.plan.faults) {
      if (fault.kind === 'ledger' && now >= fault.from && now < fault.from + fault.forMs) return fault.mode
      const isIt = fault.kind === 'ledger-call' && fault.place === name && fault.nth === count
      if (isIt && now < this.plan.faultsEndAt) return fault.mode
    }
    return undefined
  }

  /** Undefined where it takes no time at all, so that most worlds save the turn. */
  private delay(
    { process }: Client,
    ms = this.plan.ledgerMs === 0 ? 0 : this.random.ms(0, this.plan.ledgerMs),
  ): Promise<void> | undefined {
    if (ms === 0) return undefined
    return new Promise((resolve) => {
      process.clock.after(ms, process, resolve)
    })
  }

  private noteClaim({ requestId, deadlineMs }: AskedClaim, replica: number): void {
    const at = this.process.clock.now
    this.history.claims.push({ at, replica, requestId, until: at + deadlineMs })
  }

  /** Which way the rows go. */
  private note(result: unknown): void {
    for (const row of rowsIn(result)) {
      const from = this.states.get(row.requestId) ?? 'none'
      if (from === row.state) continue
      this.states.set(row.requestId, row.state)
      this.history.changes.push({ at: this.process.clock.now, requestId: row.requestId, from, to: row.state })
      this.history.visited.add(`${from} → ${row.state}`)
    }
  }
}

function isEmpty(found: unknown): boolean {
  return found === undefined || (Array.isArray(found) && found.length === 0)
}

function isWriting(name: string): boolean {
  return name !== 'find' && name !== 'findByKey' && name !== 'stats'
}

/** The process has died while it waited. */
function never(): Promise<never> {
  return new Promise(() => undefined)
}

interface AskedClaim {
  readonly requestId: string
  readonly deadlineMs: number
}

interface AskedPostponement {
  readonly requestId: string
  readonly pauseMs?: number
}

function isTaken(result: unknown): result is RecordResult {
  return result !== undefined && (result as RecordResult).was !== undefined
}

function isGiven(name: string, result: unknown): boolean {
  if (name === 'claim') return (result as { isClaimed: boolean }).isClaimed
  return name === 'renew' && result !== undefined
}

interface SeenRow {
  readonly requestId: string
  readonly state: string
}

function rowsIn(result: unknown): SeenRow[] {
  if (typeof result !== 'object' || result === null) return []
  if (Array.isArray(result)) return result.flatMap(rowsIn)
  if ('row' in result) return rowsIn(result.row)
  return 'requestId' in result && 'state' in result ? [result as SeenRow] : []
}
