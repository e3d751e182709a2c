/**
 * What one caller's flood costs another: 500 connections of one caller that begin again at once after each answer, or after
 * `Retry-After`, with creates or with look-ups, beside one create at a time of another. By hand: node bench/isolation.ts [rounds] [seconds]
 */
import { fork } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { findFreePorts } from './ports.ts'
import { startProcess, workFolder } from './process.ts'
import { startStandIn } from './stand-in-process.ts'
import { median, percentile } from './statistics.ts'

const connections = 500
const partnerDelayMs = 100
const body = JSON.stringify({ phone: '+998901234567' })

const floods = {
  'beside a patient flood': { isPatient: true, asks: 'create' },
  'beside a flood': { isPatient: false, asks: 'create' },
  'beside a flood of look-ups': { isPatient: false, asks: 'look-up' },
} as const

type Flood = { readonly url: string } & (typeof floods)[keyof typeof floods]

/** One create; its statusCode, where it can be looked up, and how long a caller that is patient waits before the next. */
async function create(url: string, caller: string, dispatcher: Agent) {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${caller}` }
  const answer = await request(`${url}/clients`, { method: 'POST', headers, body, dispatcher })
  await answer.body.dump()
  const { statusCode, headers: told } = answer
  return { statusCode, location: `${url}${told.location}`, waitMs: Number(told['retry-after'] ?? 0) * 1000 }
}

async function lookUp(url: string, caller: string, dispatcher: Agent) {
  const answer = await request(url, { headers: { authorization: `Bearer ${caller}` }, dispatcher })
  await answer.body.dump()
}

/** In a process of its own, until that ends. */
async function flood({ url, isPatient, asks }: Flood): Promise<void> {
  const dispatcher = new Agent({ connections, pipelining: 1 })
  const { location } = await create(url, 'flood', dispatcher)
  const work = async () => {
    for (;;) {
      if (asks === 'look-up') {
        await lookUp(location, 'flood', dispatcher)
        continue
      }
      const { waitMs } = await create(url, 'flood', dispatcher)
      if (isPatient) await pause(waitMs)
    }
  }
  await Promise.all(Array.from({ length: connections }, work))
}

async function measure(url: string, seconds: number): Promise<{ p99Ms: number; count: number; refused: number }> {
  const dispatcher = new Agent({ connections: 1 })
  const times: number[] = []
  let refused = 0
  const endAt = performance.now() + seconds * 1000
  while (performance.now() < endAt) {
    const startedAt = performance.now()
    const { statusCode } = await create(url, 'shop', dispatcher)
    if (statusCode === 201) times.push(performance.now() - startedAt)
    else refused++
  }
  await dispatcher.close()
  return { p99Ms: percentile(times, 0.99), count: times.length, refused }
}

async function measureBeside(flood: Flood, seconds: number) {
  const child = fork(new URL(import.meta.url), [JSON.stringify(flood)], { execArgv: [] })
  await pause(3000)
  try {
    return await measure(flood.url, seconds)
  } finally {
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    await pause(1000)
  }
}

async function run(rounds: number, seconds: number): Promise<void> {
  const partner = await startStandIn()
  await partner.setDelay(partnerDelayMs)
  const [port, opsPort] = await findFreePorts()
  mkdirSync(workFolder, { recursive: true })
  const keys = new URL('isolation-keys', workFolder).pathname
  writeFileSync(keys, ['flood', 'shop'].map((caller) => `${caller}:${hash('sha256', caller)}\n`).join(''))
  const url = `http://127.0.0.1:${port}`
  const service = await startProcess({
    name: 'isolation',
    entry: new URL('../src/main.ts', import.meta.url),
    env: {
      PORT: String(port),
      OPS_PORT: String(opsPort),
      LOG_LEVEL: 'warn',
      LEDGER_URL: 'memory:',
      AUTH: 'api-key',
      API_KEYS_FILE: keys,
      FREEDOMPAY_BASE_URL: partner.url,
      FREEDOMPAY_AUTH_ID: '1',
      FREEDOMPAY_SECRET_KEY: 'secret',
      FREEDOMPAY_PRODUCT_ID: '1000',
    },
    readyUrl: `http://127.0.0.1:${opsPort}/readyz`,
    anyAnswer: false,
    preloaded: false,
  })
  const p99: Record<string, number[]> = {}
  try {
    for (let round = 0; round <= rounds; round++) {
      const found: Record<string, Awaited<ReturnType<typeof measure>>> = { alone: await measure(url, seconds) }
      for (const [name, flood] of Object.entries(floods)) found[name] = await measureBeside({ url, ...flood }, seconds)
      process.stdout.write(`${round === 0 ? 'warm-up' : `round ${round}`}: ${JSON.stringify(found)}\n`)
      if (round === 0) continue
      for (const [name, { p99Ms }] of Object.entries(found)) p99[name] = [...(p99[name] ?? []), p99Ms]
    }
  } finally {
    await service.stop()
    await partner.stop()
  }
  const alone = median(p99.alone ?? [])
  for (const [name, values] of Object.entries(p99)) {
    process.stdout.write(`${name}: p99 ${median(values).toFixed(1)} ms, ${(median(values) / alone).toFixed(2)} ×\n`)
  }
}

const [first, second] = process.argv.slice(2)
if (first?.startsWith('{')) await flood(JSON.parse(first))
else await run(Number(first ?? 3), Number(second ?? 10))
