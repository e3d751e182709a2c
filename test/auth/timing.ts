/**
 * Can right and wrong keys be told apart by how long the look-up takes? By hand: node test/auth/timing.ts
 * Welch's t-test over interleaved tries, with the slowest percent left out; |t| below 4.5 is taken as "no" (as in dudect).
 */
import { hash, randomBytes } from 'node:crypto'
import { createKeyTable } from '../../src/auth/api-key.ts'

const keyCount = 10_000
const tries = Number(process.argv[2] ?? 10_000)
const threshold = 4.5

const makeKey = () => `fpc_${randomBytes(32).toString('base64url')}`
const keys = Array.from({ length: keyCount }, makeKey)
const findCaller = createKeyTable(keys.map((key, i) => ({ caller: `app-${i}`, digest: hash('sha256', key) })))

const pick = () => keys[randomBytes(4).readUInt32LE() % keyCount] as string
const changeLast = (key: string) => `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`
/**
 * Each makes its key anew, so that no kind of key is a text that the engine has seen before. Each also takes the same steps until
 * then: what a kind leaves in the processor's cache would be measured, too.
 */
const makeAs = (choose: (known: string, changed: string, fresh: string) => string) => () => {
  const known = pick()
  return Buffer.from(choose(known, changeLast(known), makeKey())).toString()
}
const kinds: Record<string, () => string> = {
  right: makeAs((known) => known),
  'right but for its last character': makeAs((_known, changed) => changed),
  wrong: makeAs((_known, _changed, fresh) => fresh),
}

function measure(a: () => string, b: () => string): [number[], number[]] {
  const times: [number[], number[]] = [[], []]
  for (let i = 0; i < tries; i++) {
    // Both are made before either is measured; which is made first, and which is measured first, is drawn.
    const made = randomBytes(1).readUInt8() & 1 ? ([a(), b()] as const) : ([b(), a()].reverse() as [string, string])
    const first = randomBytes(1).readUInt8() & 1
    for (const which of [first, 1 - first] as const) {
      const startedAt = process.hrtime.bigint()
      findCaller(made[which] as string)
      times[which as 0 | 1].push(Number(process.hrtime.bigint() - startedAt))
    }
  }
  return times
}

function summarise(times: number[]) {
  const kept = times.toSorted((x, y) => x - y).slice(0, Math.floor(times.length * 0.99))
  const mean = kept.reduce((sum, ns) => sum + ns, 0) / kept.length
  const variance = kept.reduce((sum, ns) => sum + (ns - mean) ** 2, 0) / (kept.length - 1)
  return { mean, variance, count: kept.length }
}

function computeT(a: number[], b: number[]): { t: number; means: [number, number] } {
  const [x, y] = [summarise(a), summarise(b)]
  const t = (x.mean - y.mean) / Math.sqrt(x.variance / x.count + y.variance / y.count)
  return { t, means: [x.mean, y.mean] }
}

const pairs: [string, string][] = [
  ['right', 'right'],
  ['right', 'wrong'],
  ['right', 'right but for its last character'],
  ['right but for its last character', 'wrong'],
]
for (const [a, b] of pairs) measure(kinds[a] as () => string, kinds[b] as () => string)
for (const [a, b] of pairs) {
  const { t, means } = computeT(...measure(kinds[a] as () => string, kinds[b] as () => string))
  const verdict = Math.abs(t) < threshold ? 'alike' : 'TOLD APART'
  process.stdout.write(
    `${a} · ${b}: ${means.map((ns) => `${ns.toFixed(0)} ns`).join(' · ')}, t = ${t.toFixed(2)}: ${verdict}\n`,
  )
  if (verdict !== 'alike') process.exitCode = 1
}
