/** Sends right and wrong requests over raw sockets, and judges what the callers read and what the partner received. */
import { connect } from 'node:net'
import fc from 'fast-check'
import { parseAnswers, type RawAnswer } from '../fixtures/raw-http.ts'
import { type Connection, connections } from './requests.ts'

export interface FuzzTarget {
  readonly url: string
  /** The phone number of each client that the partner was asked to create. */
  readonly receivedPhones: () => readonly string[]
}

export interface FuzzReport {
  readonly connections: number
  readonly answers: number
  readonly creates: number
  /** What must not be. */
  readonly faults: readonly string[]
}

const batchSize = 40
/** A caller that has its answers, or can get none, hangs up after this time without a byte. */
const idleMs = 1500
/** A caller without an answer to a whole request waits longer: a busy machine is slow. */
const patienceMs = 20_000

export async function runFuzz(
  target: FuzzTarget,
  { seconds, seed }: { seconds: number; seed: number },
): Promise<FuzzReport> {
  const faults: string[] = []
  const onRejection = (reason: unknown) => void faults.push(`unhandled rejection: ${reason}`)
  process.on('unhandledRejection', onRejection)
  const valid = new Set<string>()
  /** Of requests behind a piece that cannot be read: their caller may hang up before the answer comes. */
  const behind = new Set<string>()
  let count = 0
  let answers = 0
  let creates = 0
  const until = performance.now() + seconds * 1000
  for (let batch = 0; performance.now() < until && faults.length === 0; batch++) {
    const sent = fc.sample(connections, { seed: seed + batch, numRuns: batchSize })
    for (const { pieces } of sent) {
      const wholeCount = takeWhole(pieces).length
      pieces.forEach(({ phone }, i) => {
        if (phone === undefined) return
        valid.add(phone)
        if (i >= wholeCount) behind.add(phone)
      })
    }
    const heard = await Promise.all(sent.map((connection) => send(target.url, connection)))
    sent.forEach((connection, i) => {
      const told = heard[i] as Heard
      const judged = judge(connection, told)
      faults.push(...judged.map((fault) => `batch ${batch}: ${fault}: ${describe(connection, told)}`))
      answers += told.answers.length
      creates += told.answers.filter(({ statusCode }) => statusCode === 201).length
    })
    count += sent.length
  }
  process.off('unhandledRejection', onRejection)
  const received = target.receivedPhones()
  for (const phone of received)
    if (!valid.has(phone)) faults.push(`the partner was called for an invalid request: ${phone}`)
  if (new Set(received).size !== received.length) faults.push('the partner was called twice for one create')
  const mayBeUnheard = received.filter((phone) => behind.has(phone)).length
  if (received.length < creates || received.length - mayBeUnheard > creates)
    faults.push(`${received.length} creates at the partner, ${creates} answers that say so`)
  return { connections: count, answers, creates, faults }
}

interface Heard {
  readonly answers: readonly RawAnswer[]
  readonly fault?: string
}

function send(url: string, { pieces, cutEvery }: Connection): Promise<Heard> {
  const { hostname, port } = new URL(url)
  const bytes = Buffer.concat([...pieces.map((piece) => piece.bytes), Buffer.from(last)])
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(Number(port), hostname)
    socket.setNoDelay(true)
    const giveUpAt = performance.now() + patienceMs
    socket.setTimeout(idleMs, () => {
      const isWaiting = countAnswers(chunks) < takeWhole(pieces).length && performance.now() < giveUpAt
      if (isWaiting) socket.setTimeout(idleMs)
      else socket.destroy()
    })
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      try {
        resolve({ answers: parseAnswers(Buffer.concat(chunks)) })
      } catch (error) {
        resolve({ answers: [], fault: `${error}: ${Buffer.concat(chunks).toString('latin1').slice(0, 300)}` })
      }
    })
    const step = Math.max(cutEvery, Math.ceil(bytes.length / 200))
    for (let at = 0; at < bytes.length; at += step) socket.write(bytes.subarray(at, at + step))
  })
}

const last = 'GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

/** The pieces up to the first one behind which nothing can be read: each has its own answer, in order. */
function takeWhole(pieces: Connection['pieces']): Connection['pieces'] {
  const end = pieces.findIndex(({ isWhole }) => !isWhole)
  return end < 0 ? pieces : pieces.slice(0, end)
}

/** 0 while an answer is incomplete. */
function countAnswers(chunks: readonly Buffer[]): number {
  try {
    return parseAnswers(Buffer.concat(chunks)).length
  } catch {
    return 0
  }
}

function judge({ pieces }: Connection, { answers, fault }: Heard): string[] {
  const faults = fault === undefined ? [] : [fault]
  if (answers.some(({ statusCode }) => statusCode === 500)) faults.push('an answer is 500')
  const whole = takeWhole(pieces)
  if (answers.length < whole.length) faults.push(`${answers.length} answers to ${whole.length} whole requests`)
  whole.forEach(({ phone }, i) => {
    const isCreated = answers[i]?.statusCode === 201
    if (isCreated !== (phone !== undefined)) faults.push(`answer ${i} is ${answers[i]?.statusCode}`)
  })
  return faults
}

function describe({ pieces, cutEvery }: Connection, { answers }: Heard): string {
  const kinds = pieces.map(({ kind }) => kind)
  return JSON.stringify({ kinds, cutEvery, answers: answers.map(({ statusCode }) => statusCode) })
}
