import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import t from 'tap'
import { members } from '../../src/clients/body/schema.ts'
import { createTurnstile, largeBodyBytes, type Turn } from '../../src/large-bodies/event-loop-slices.ts'
import { bodyLimitBytes, type Reading, readBody } from '../../src/large-bodies/read-body.ts'
import type { RefusalPace } from '../../src/large-bodies/refusal-pace.ts'
import { createFairShare } from '../../src/partner/fair-share.ts'
import { Problem } from '../../src/problems/problem.ts'
import { until } from '../fixtures/until.ts'

const places = createFairShare(8)
const paceRefusal: RefusalPace = (_bytes, answer) => answer()
const pieceBytes = 64 * 1024

function* cut(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

function toPayload(chunks: Iterable<Buffer>, headers: Record<string, string> = {}): IncomingMessage {
  return Object.assign(Readable.from(chunks, { objectMode: false }), { headers }) as unknown as IncomingMessage
}

function read(payload: IncomingMessage, turn: Turn = createTurnstile()): Promise<unknown> {
  return new Promise((resolve, reject) => {
    readBody(payload, 'billing', { turn, places, paceRefusal }, (error, body) =>
      error === null ? resolve(body) : reject(error),
    )
  })
}

/** JSON that is its own: nobody else's bytes would parse to it. */
function makeText(letter: string, bytes: number): string {
  return letter.repeat(bytes)
}

for (const bytes of [1, pieceBytes, largeBodyBytes - 3, largeBodyBytes, 1_000_000, bodyLimitBytes - 2]) {
  t.test(`a text of ${bytes} bytes arrives as it is, however it is cut`, async (t) => {
    const text = makeText('a', bytes)
    const json = Buffer.from(JSON.stringify(text))
    t.equal(await read(toPayload([json])), text, 'whole')
    t.equal(await read(toPayload(cut(json))), text, 'in pieces')
  })
}

t.test('a character that is cut in two is one again', async (t) => {
  const json = Buffer.from('"ʻ"')
  t.equal(await read(toPayload([json.subarray(0, 2), json.subarray(2)])), 'ʻ')
})

t.test('many large bodies at once do not mix, and neither do those after them', async (t) => {
  const turn = createTurnstile()
  for (let round = 0; round < 2; round++) {
    const texts = [...'abcdefgh'].map((letter, i) => makeText(letter, 300_000 + i * 100_000))
    const bodies = await Promise.all(texts.map((text) => read(toPayload(cut(Buffer.from(JSON.stringify(text)))), turn)))
    t.ok(
      bodies.every((body, i) => body === texts[i]),
      'each is its own',
    )
  }
})

t.test('a body over the limit is refused, announced or not', async (t) => {
  const tooLarge = Buffer.alloc(bodyLimitBytes + 1, 0x20)
  const refusal = { code: 'body-too-large' }
  await t.rejects(read(toPayload([], { 'content-length': String(tooLarge.length) })), refusal, 'before it is read')
  await t.rejects(read(toPayload(cut(tooLarge))), refusal, 'as soon as it is too much')
})

t.test('a body that breaks off is no body', async (t) => {
  const cause = new Error('aborted')
  function* breakOff(): Generator<Buffer> {
    yield Buffer.from('{"phone"')
    throw cause
  }
  await t.rejects(read(toPayload(breakOff())), { code: 'invalid-request', cause })
})

t.test('a caller that is gone when its turn comes is told nothing twice', async (t) => {
  const turns: (() => void)[] = []
  const payload = toPayload(cut(Buffer.alloc(largeBodyBytes, 0x20)))
  const ends: unknown[] = []
  const hasEnded = new Promise<void>((resolve) => payload.once('end', resolve))
  const turn: Turn = () => new Promise((resolve) => turns.push(resolve))
  readBody(payload, 'billing', { turn, places, paceRefusal }, (error) => ends.push(error))
  await hasEnded
  payload.emit('error', new Error('gone'))
  turns[0]?.()
  await read(toPayload([Buffer.from('1')]))
  t.equal(ends.length, 1)
  t.ok(ends[0] instanceof Problem)
})

t.test('a large body that breaks off leaves nothing behind for the next', async (t) => {
  const cause = new Error('aborted')
  function* breakOff(): Generator<Buffer> {
    yield* cut(Buffer.from(JSON.stringify(makeText('x', largeBodyBytes))))
    throw cause
  }
  await t.rejects(read(toPayload(breakOff())), { code: 'invalid-request', cause })
  const text = makeText('y', 200_000)
  t.equal(await read(toPayload(cut(Buffer.from(JSON.stringify(text))))), text)
})

t.test('a large body that finds no place is refused, and every end of one frees its place', async (t) => {
  const one = createFairShare(1)
  const readWith = (payload: IncomingMessage) =>
    new Promise((resolve, reject) => {
      readBody(payload, 'billing', { turn: createTurnstile(), places: one, paceRefusal }, (error) =>
        error ? reject(error) : resolve('read'),
      )
    })
  const json = Buffer.from(JSON.stringify(makeText('x', 200_000)))
  const declared = { 'content-length': String(json.length) }
  const refusal = { code: 'overloaded', status: 503, headers: { 'retry-after': /^[12]$/ } }
  for (const [headers, safeToRetry] of [
    [{}, 'yes'],
    [{ 'idempotency-key': 'k' }, 'same-key-only'],
  ] as const) {
    one.enter('shop')
    await t.rejects(
      readWith(toPayload([], { ...declared, ...headers })),
      { ...refusal, body: { safeToRetry } },
      'declared',
    )
    await t.rejects(readWith(toPayload(cut(json), headers)), { ...refusal, body: { safeToRetry } }, 'not declared')
    t.equal(await readWith(toPayload([Buffer.from('1')])), 'read', 'a small one needs no place')
    one.leave('shop')
  }
  function* breakOff(): Generator<Buffer> {
    yield* cut(json)
    throw new Error('aborted')
  }
  for (const headers of [{}, declared]) {
    await t.rejects(readWith(toPayload(breakOff(), headers)), { code: 'invalid-request' })
    await t.rejects(readWith(toPayload(cut(Buffer.alloc(bodyLimitBytes + 1, 0x20)), {})), { code: 'body-too-large' })
    t.equal(await readWith(toPayload(cut(json), headers)), 'read')
  }
})

const count = 50_000
const hostile = {
  brackets: '['.repeat(count * 2) + ']'.repeat(count * 2),
  members: `{${Array.from({ length: count }, (_, i) => `"k${i}":1`).join()}}`,
  objects: `[${'{},'.repeat(count)}{}]`,
  numbers: `[${'1,'.repeat(count * 2)}1]`,
  'empty texts': `[${'"",'.repeat(count)}""]`,
}

t.test(
  'a large body that is not one document in little JSON is refused, whether or not it could be parsed',
  async (t) => {
    const message = 'must be a JSON object with the members of this contract'
    for (const [name, json] of Object.entries(hostile)) {
      for (const text of [json, json.slice(0, -1)]) {
        const refusal = { code: 'invalid-request', body: { errors: [{ pointer: '', message }] } }
        await t.rejects(read(toPayload(cut(Buffer.from(text)))), refusal, name)
      }
    }
  },
)

t.test('the refusal of a large body waits for the pace, and its place does not', async (t) => {
  const one = createFairShare(1)
  const held: { bytes: number; answer: () => void }[] = []
  const reading: Reading = {
    turn: createTurnstile(),
    places: one,
    paceRefusal: (bytes, answer) => held.push({ bytes, answer }),
  }
  const ends: unknown[] = []
  const start = (payload: IncomingMessage) => readBody(payload, 'billing', reading, (...end) => ends.push(end))
  const unreadable = ['['.repeat(150_000), 'x'.repeat(150_000), Buffer.alloc(150_000, 0xff)].map((body) =>
    Buffer.from(body),
  )
  for (const body of unreadable) {
    start(toPayload(cut(body)))
    await until(
      () => held.length,
      (length) => length === 1,
    )
    t.strictSame(ends, [])
    t.ok(one.enter('shop'), 'the place is free')
    one.leave('shop')
    const { bytes, answer } = held.pop() as (typeof held)[number]
    t.equal(bytes, body.length)
    answer()
    t.match(ends.splice(0), [[{ code: 'invalid-request' }]])
  }
  start(toPayload([Buffer.from('[')]))
  await until(
    () => ends.length,
    (length) => length === 1,
  )
  t.equal(held.length, 0, 'a small one is refused at once')
})

t.test('the body with the most structure that can be valid is read', async (t) => {
  const odd = (length: number) => '"'.repeat(length)
  const address = { country: 'UZB', postalCode: odd(255), city: odd(255), street: odd(255), building: odd(255) }
  const body = {
    ...Object.fromEntries(members.map((member) => [member, ''])),
    email: `${'{'.repeat(64)}@${'a.'.repeat(90)}com`,
    personId: odd(64),
    externalUserId: odd(128),
    branchId: odd(255),
    registrationAddress: address,
    residentialAddress: address,
    identification: { identifiedAt: '2026-01-31T09:30:00+05:00', identifiedBy: odd(255) },
    document: makeText('A', 2_000_000),
  }
  t.strictSame(await read(toPayload(cut(Buffer.from(JSON.stringify(body))))), body)
})
