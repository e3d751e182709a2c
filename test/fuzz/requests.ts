/** What callers send, right or wrong: pieces of bytes on one connection, of which only some are a valid create. */
import fc from 'fast-check'

export interface Piece {
  readonly kind: string
  readonly bytes: Buffer
  /** Of a create that must reach the partner where it is read; whatever else reaches the partner is a fault. */
  readonly phone?: string
  /** Whether what follows on the connection can still be read as HTTP. */
  readonly isWhole: boolean
}

let phones = 0

/** Of no other create, and with the sandbox's plain scenario. */
function newPhone(): string {
  phones = (phones + 1) % 1_000_000
  return `+998${String(phones).padStart(6, '0')}567`
}

const invalidPhone = '+998999999567'

const headerName = fc.stringMatching(/^[A-Za-z][A-Za-z-]{0,20}$/).map((name) => `X-${name}`)
const headerValue = fc.string({ unit: fc.constantFrom(...'abcXYZ019 ,;="\'-_/\t'), maxLength: 60 })
const harmlessHeaders = fc.array(fc.tuple(headerName, headerValue), { maxLength: 5 })

/** How a body is framed: by its length, or in chunks of any sizes, each with its own spelling. */
const framing = fc.oneof(
  fc.constant(undefined),
  fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 8 }),
    isUpper: fc.boolean(),
  }),
)

function frame(
  start: string,
  headers: readonly (readonly [string, string])[],
  body: Buffer,
  chunks: { sizes: number[]; isUpper: boolean } | undefined,
) {
  const lines = [start, 'Host: localhost', ...headers.map(([name, value]) => `${name}: ${value}`)]
  if (chunks === undefined) return Buffer.concat([toHead([...lines, `Content-Length: ${body.length}`]), body])
  const parts = [toHead([...lines, 'Transfer-Encoding: chunked'])]
  for (let at = 0, i = 0; at < body.length; i++) {
    const part = body.subarray(at, at + (chunks.sizes[i % chunks.sizes.length] as number))
    const size = part.length.toString(16)
    parts.push(Buffer.from(`${chunks.isUpper ? size.toUpperCase() : size}\r\n`), part, Buffer.from('\r\n'))
    at += part.length
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

function toHead(lines: string[]): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}

const json = ['Content-Type', 'application/json'] as const
const create = 'POST /clients HTTP/1.1'

const validCreate = fc.tuple(harmlessHeaders, framing).map(([headers, chunks]): Piece => {
  const phone = newPhone()
  const bytes = frame(create, [json, ...headers], Buffer.from(JSON.stringify({ phone })), chunks)
  return { kind: 'valid create', bytes, phone, isWhole: true }
})

const anyBytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
const notACreate = fc.oneof(
  anyBytes,
  fc.json().map((text) => Buffer.from(text)),
  fc.jsonValue().map((nickname) => Buffer.from(JSON.stringify({ phone: invalidPhone, nickname: nickname ?? 0 }))),
  fc.jsonValue().map((phone) => Buffer.from(JSON.stringify({ phone: [phone] }))),
  fc.nat(24).map((length) => Buffer.from(JSON.stringify({ phone: invalidPhone })).subarray(0, length)),
  fc.integer({ min: 130_000, max: 3_400_000 }).map((length) => Buffer.alloc(length, '{"a":[')),
)

const invalidCreate = fc.tuple(notACreate, harmlessHeaders, framing).map(
  ([body, headers, chunks]): Piece => ({
    kind: 'invalid create',
    bytes: frame(create, [json, ...headers], body, body.length > 10_000 ? undefined : chunks),
    // A body that is too large ends its connection.
    isWhole: body.length < 100_000,
  }),
)

const path = fc.string({ unit: fc.constantFrom(...'/abc.%2F0?=&~:*;clients'), maxLength: 40 }).map((text) => `/${text}`)
const anyPath = fc.tuple(path, harmlessHeaders).map(
  ([target, headers]): Piece => ({
    kind: 'any path',
    bytes: toHead([
      `GET ${target} HTTP/1.1`,
      'Host: localhost',
      ...headers.map(([name, value]) => `${name}: ${value}`),
    ]),
    isWhole: true,
  }),
)

const body = Buffer.from(JSON.stringify({ phone: invalidPhone }))
const oddHead = fc
  .constantFrom<readonly [string, ...(readonly [string, string])[]]>(
    [create, json, ['Host', 'again']],
    [create, json, ['Transfer-Encoding', 'gzip']],
    [create, json, ['Content-Length', '5']],
    [create, json, ['Content-Encoding', 'gzip']],
    [create, ['Content-Type', 'text/plain']],
    [create, json, ['Expect', 'magic']],
    [create, json, json],
    [create, json, ['Idempotency-Key', 'a'.repeat(256)]],
    ['POST /clients HTTP/2.0', json],
    ['POST /clients HTTP/1.7', json],
    ['PUT /clients HTTP/1.1', json],
    ['BREW /clients HTTP/1.1', json],
  )
  .map(
    ([start, ...headers]): Piece => ({
      kind: `odd head ${JSON.stringify([start, ...headers])}`.slice(0, 120),
      bytes: frame(start, headers, body, undefined),
      isWhole: false,
    }),
  )

const badChunk = fc.constantFrom('zz', '-1', '', 'fffffffffffffffffff', '5\n').map(
  (size): Piece => ({
    kind: `chunk ${JSON.stringify(size)}`,
    bytes: Buffer.concat([
      toHead([create, 'Host: localhost', json.join(': '), 'Transfer-Encoding: chunked']),
      Buffer.from(`${size}\r\n${body}\r\n0\r\n\r\n`),
    ]),
    isWhole: false,
  }),
)

const rubbish = anyBytes.map((bytes): Piece => ({ kind: 'any bytes', bytes, isWhole: false }))

const mutated = fc.tuple(fc.nat(10_000), fc.integer({ min: 0, max: 255 })).map(([at, byte]): Piece => {
  const bytes = frame(create, [json], Buffer.from(JSON.stringify({ phone: invalidPhone, nickname: 'x' })), undefined)
  bytes[at % bytes.length] = byte
  return { kind: `byte ${byte} at ${at % bytes.length}`, bytes, isWhole: false }
})

/** Everything that one caller sends on one connection, and where the bytes are cut. */
export const connections = fc.record({
  pieces: fc.array(
    fc.oneof(
      { weight: 4, arbitrary: validCreate },
      { weight: 2, arbitrary: invalidCreate },
      { weight: 2, arbitrary: anyPath },
      { weight: 1, arbitrary: oddHead },
      { weight: 1, arbitrary: badChunk },
      { weight: 1, arbitrary: rubbish },
      { weight: 1, arbitrary: mutated },
    ),
    { minLength: 1, maxLength: 6 },
  ),
  cutEvery: fc.constantFrom(7, 100, 1460, 65_536, 10_000_000),
})
export type Connection = typeof connections extends fc.Arbitrary<infer T> ? T : never
