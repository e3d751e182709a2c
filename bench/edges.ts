/**
 * What hostile and slow callers cost the others: four callers that send hostile JSON of 3 MiB without a pause, and 500 that send a
 * byte a second, beside 4 connections of typical creates. By hand: node bench/edges.ts [rounds] [seconds]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { request } from 'undici'
import { candidates, startCandidate } from './candidates.ts'
import { drive } from './drive.ts'
import { serialiseBody } from './loads.ts'
import { startStandIn } from './stand-in-process.ts'
import { median } from './statistics.ts'

const hostileCallers = 4
const slowCallers = 500
const typicalConnections = 4

const disturbances = ['nothing', 'hostile JSON', 'slow senders'] as const
type Disturbance = (typeof disturbances)[number]

const hostileBodies = [
  '['.repeat(1_500_000) + ']'.repeat(1_500_000),
  `{${Array.from({ length: 200_000 }, (_, i) => `"m${i}":1`).join(',')}}`,
  `{"phone":"+998901234567","firstName":[${'{},'.repeat(900_000)}{}]}`,
]

async function sendHostileJson(url: string): Promise<void> {
  for (let i = 0; ; i++) {
    const body = hostileBodies[i % hostileBodies.length] as string
    const headers = { 'content-type': 'application/json' }
    const answer = await request(`${url}/clients`, { method: 'POST', headers, body })
    await answer.body.dump()
    if (answer.statusCode < 400) throw new Error(`hostile JSON was answered ${answer.statusCode}`)
  }
}

/** Each begins anew when the service ends its connection. */
async function sendSlowly(url: string): Promise<void> {
  const { hostname, port } = new URL(url)
  for (;;) {
    const socket = connect(Number(port), hostname)
    const ended = once(socket, 'close')
    socket.on('error', () => undefined).resume()
    socket.write('POST /clients HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n')
    const timer = setInterval(() => writeByte(socket), 1000)
    await ended
    clearInterval(timer)
  }
}

function writeByte(socket: Socket): void {
  if (socket.writable) socket.write('{')
}

/** In a process of its own, until that ends. */
async function disturb(disturbance: Disturbance, url: string): Promise<void> {
  const [count, act] = disturbance === 'hostile JSON' ? [hostileCallers, sendHostileJson] : [slowCallers, sendSlowly]
  await Promise.all(Array.from({ length: count }, () => act(url)))
}

async function run(rounds: number, seconds: number): Promise<void> {
  const partner = await startStandIn()
  const service = candidates.find(({ name }) => name === 'service')
  if (service === undefined) throw new Error('there is no candidate named service')
  const started = await startCandidate(service, partner.url)
  const typical = { urls: [started.url], keyed: false, body: serialiseBody('typical'), connections: typicalConnections }

  async function measure() {
    await started.watchStalls()
    const { p50Ms, p99Ms, failed, completed } = await drive({ ...typical, seconds })
    return { p50Ms, p99Ms, stallMs: await started.readLongestStallMs(), failed, completed }
  }

  async function measureBeside(disturbance: Disturbance) {
    if (disturbance === 'nothing') return await measure()
    const child = fork(new URL(import.meta.url), [disturbance, started.url], { execArgv: [] })
    const gone = once(child, 'exit')
    await pause(2000)
    const measured = await measure()
    if (child.exitCode !== null) throw new Error(`the callers of ${disturbance} ended early`)
    child.kill('SIGKILL')
    await gone
    await pause(1000)
    return measured
  }

  const found = new Map<Disturbance, Awaited<ReturnType<typeof measure>>[]>()
  try {
    await drive({ ...typical, seconds: 5 })
    for (let round = 1; round <= rounds; round++) {
      for (const disturbance of disturbances) {
        const measured = await measureBeside(disturbance)
        found.set(disturbance, [...(found.get(disturbance) ?? []), measured])
        process.stdout.write(`round ${round}, beside ${disturbance}: ${JSON.stringify(measured)}\n`)
      }
    }
  } finally {
    await started.stop()
    await partner.stop()
  }
  for (const [disturbance, measures] of found) {
    const [p99, stall] = [median(measures.map(({ p99Ms }) => p99Ms)), median(measures.map(({ stallMs }) => stallMs))]
    process.stdout.write(`beside ${disturbance}: p99 ${p99.toFixed(1)} ms, longest stall ${stall.toFixed(1)} ms\n`)
  }
}

const [first = '3', second] = process.argv.slice(2)
if (disturbances.includes(first as Disturbance)) await disturb(first as Disturbance, second ?? '')
else await run(Number(first), Number(second ?? 8))
