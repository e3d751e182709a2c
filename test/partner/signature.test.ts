import { createHash, createHmac, randomBytes } from 'node:crypto'
import t from 'tap'
import {
  type Credentials,
  createSigner,
  deriveKey,
  isSignedBy,
  type SignatureScheme,
} from '../../src/partner/signature.ts'

const credentials = { authId: '123456', secretKey: 'secret' }
const path = '/v5/card-api/request/status'
const body = Buffer.from('{"request_id":"828cf71d-a447-4a67-a149-c1df8bc197ca"}')
const schemes: SignatureScheme[] = ['jws', 'sign']

t.test('jws gives the documented signature', async (t) => {
  const expected =
    'eyJ1cmkiOiIvdjUvY2FyZC1hcGkvcmVxdWVzdC9zdGF0dXMiLCJhdXRoX2lkIjoiMTIzNDU2IiwibWV0aG9kIjoiUE9TVCIsInBhcmFtcyI6IiIsImFsZyI6IkhTNTEyIn0' +
    '..f1sQoeIpX_ZjOaykQzSeylvvKaVrEQV4gNM2ACFbEMkFDUV9Zk5WO1yQGEWez-vnQMVHodLBDVEyh5Xm2-3MjQ'
  t.strictSame(createSigner('jws', () => credentials)(path, body), { 'x-jws-signature': expected })
})

/** RFC 4648, section 5, from its definition. */
function base64url(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

t.test('jws is the compact serialisation without its payload (RFC 7515, appendix F)', async (t) => {
  const secretKey = 'ключ, with spaces and ünïcode'
  const bytes = Buffer.from(JSON.stringify({ text: 'Gʻiyosiddin, 100 € — \u{1f600}', odd: 'ÿþ~?>' }))
  const sign = createSigner('jws', () => ({ authId: 'a"b\\c', secretKey }))
  for (const uri of [path, '/v5/card-api/client/add', path]) {
    const [header = '', payload, signature = '', ...rest] = sign(uri, bytes)['x-jws-signature']?.split('.') ?? []
    t.strictSame([payload, rest], ['', []], 'detached')
    const members = `{"uri":"${uri}","auth_id":"a\\"b\\\\c","method":"POST","params":"","alg":"HS512"}`
    t.equal(header, base64url(Buffer.from(members)), 'members in the documented order')
    const complete = `${base64url(Buffer.from(members))}.${base64url(bytes)}`
    t.equal(signature, base64url(createHmac('sha512', Buffer.from(secretKey)).update(complete).digest()))
    t.match(signature, /^[A-Za-z0-9_-]{86}$/, '64 bytes without padding')
  }
})

t.test('jws is the same whether the body is signed at one stroke or in pieces', async (t) => {
  const secretKey = 'a secret key'
  const sign = createSigner('jws', () => ({ authId: '1', secretKey }))
  for (const length of [0, 1, 1000, 48 * 1024, 48 * 1024 + 1, 200_000]) {
    const bytes = randomBytes(length)
    const [header = '', , signature] = sign(path, bytes)['x-jws-signature']?.split('.') ?? []
    const expected = createHmac('sha512', secretKey).update(`${header}.${bytes.toString('base64url')}`)
    t.equal(signature, expected.digest('base64url'), `a body of ${length} bytes`)
  }
})

t.test('sign is the hash of the body followed by the secret key, in lower-case hex', async (t) => {
  const headers = createSigner('sign', () => credentials)(path, body)
  t.equal(headers['auth-id'], '123456')
  t.equal(headers.sign, createHash('sha256').update(`${body}secret`).digest('hex'))
  t.match(headers.sign, /^[0-9a-f]{64}$/)
  t.strictSame(Object.keys(headers).sort(), ['auth-id', 'request-id', 'sign'])
})

t.test('sign has a new Request-Id for every call, and jws nothing that changes', async (t) => {
  const sign = createSigner('sign', () => credentials)
  const ids = Array.from({ length: 100 }, () => sign(path, body)['request-id'])
  t.equal(new Set(ids).size, 100)
  const jws = createSigner('jws', () => credentials)
  t.strictSame(jws(path, body), jws(path, body))
})

for (const scheme of schemes) {
  t.test(`${scheme} signs the very bytes`, async (t) => {
    const sign = createSigner(scheme, () => credentials)
    const signed = sign(path, body)
    t.ok(isSignedBy(sign, path, body, signed))
    t.ok(
      isSignedBy(
        createSigner(scheme, () => ({ ...credentials })),
        path,
        body,
        { ...signed, host: 'x' },
      ),
    )
    t.notOk(isSignedBy(sign, path, Buffer.from(`${body} `), signed), 'a space more')
    t.notOk(isSignedBy(sign, path, Buffer.from(body.toString().replace('8', '9')), signed), 'another digit')
    t.notOk(isSignedBy(sign, path, Buffer.alloc(0), signed), 'no body')
    t.notOk(
      isSignedBy(
        createSigner(scheme, () => ({ ...credentials, secretKey: 'Secret' })),
        path,
        body,
        signed,
      ),
      'another key',
    )
    t.notOk(
      isSignedBy(
        createSigner(scheme, () => ({ ...credentials, authId: '123457' })),
        path,
        body,
        signed,
      ),
      'another id',
    )
  })

  t.test(`${scheme} needs each of its headers, as it was`, async (t) => {
    const sign = createSigner(scheme, () => credentials)
    const signed = sign(path, body)
    t.notOk(isSignedBy(sign, path, body, {}))
    for (const name of Object.keys(signed)) {
      const { [name]: value = '', ...others } = signed
      t.notOk(isSignedBy(sign, path, body, others), `without ${name}`)
      t.notOk(isSignedBy(sign, path, body, { ...others, [name]: '' }), `${name} empty`)
      t.notOk(isSignedBy(sign, path, body, { ...others, [name]: [value] }), `${name} twice`)
      if (name === 'request-id') continue
      t.notOk(isSignedBy(sign, path, body, { ...others, [name]: `${value}x` }), `${name} longer`)
      t.notOk(isSignedBy(sign, path, body, { ...others, [name]: `x${value.slice(1)}` }), `${name} changed`)
      t.notOk(isSignedBy(sign, path, body, { ...others, [name]: 'я'.repeat(value.length) }), `${name} of other bytes`)
    }
  })

  t.test(`${scheme} does not show the secret key`, async (t) => {
    const secretKey = 'a-secret-that-is-easy-to-find'
    const sign = createSigner(scheme, () => ({ ...credentials, secretKey }))
    t.notMatch(JSON.stringify(sign(path, body)), secretKey)
    t.notMatch(JSON.stringify(Object.getOwnPropertyDescriptors(sign)) + sign.toString(), secretKey)
  })
}

t.test('jws signs the path, too', async (t) => {
  const sign = createSigner('jws', () => credentials)
  t.notOk(isSignedBy(sign, '/v5/card-api/client/add', body, sign(path, body)))
})

t.test('a body of megabytes is signed in slices with the very same signature', async (t) => {
  const large = Buffer.alloc(2_800_000, 'abcdefg')
  for (const scheme of ['jws', 'sign'] as const) {
    const sign = createSigner(scheme, () => credentials)
    let turns = 0
    const inTurns = await sign.inTurns(path, large, async () => void turns++)
    t.ok(isSignedBy(sign, path, large, inTurns), scheme)
    t.ok(turns > 5, 'it waited for its turn between the slices')
  }
  const whole = createHmac('sha512', credentials.secretKey)
  const [header = '', , signature] =
    createSigner('jws', () => credentials)(path, large)['x-jws-signature']?.split('.') ?? []
  t.equal(signature, whole.update(`${header}.${large.toString('base64url')}`).digest('base64url'))
})

t.test(
  'credentials are read again on a refusal, at most once a second, and unreadable ones change nothing',
  async (t) => {
    let secretKey = 'before'
    let isReadable = true
    let reads = 0
    const sign = createSigner('sign', () => {
      reads++
      if (!isReadable) throw new Error('the file is just being replaced')
      return { authId: '1', secretKey }
    })
    const signature = () => sign('/path', Buffer.from('{}')).sign
    const isSecret = (secret: string) =>
      createSigner('sign', () => ({ authId: '1', secretKey: secret }))('/path', Buffer.from('{}')).sign === signature()
    t.ok(isSecret('before'))

    let now = performance.now()
    t.intercept(performance, 'now', { value: () => now })
    secretKey = 'after'
    isReadable = false
    sign.reloadAfterRefusal()
    t.ok(isSecret('before'), 'unreadable')
    isReadable = true
    now += 999
    sign.reloadAfterRefusal()
    t.ok(isSecret('before'), 'too early')
    now += 1.5
    sign.reloadAfterRefusal()
    t.ok(isSecret('after'))
    t.equal(reads, 4, 'each new pair is read twice')
    secretKey = 'later'
    sign.reload()
    t.ok(isSecret('later'), 'a look in between is never too early')
    secretKey = 'last'
    now += 1001
    sign.reload()
    sign.reloadAfterRefusal()
    t.ok(isSecret('last'))
  },
)

t.test('a derived key is the same for the same secret and purpose alone', async (t) => {
  const derive = (secretKey: string, purpose: string) => deriveKey(() => ({ authId: '1', secretKey }), purpose)
  t.equal(derive('a', 'x'), derive('a', 'x'))
  t.equal(Buffer.from(derive('a', 'x'), 'base64url').length, 32)
  t.equal(new Set([derive('a', 'x'), derive('b', 'x'), derive('a', 'y')]).size, 3)
})

t.test('every reading of the credentials is told; half a pair and an empty one change nothing', async (t) => {
  const told: unknown[] = []
  let pairs = [{ authId: '1', secretKey: 'a' }]
  const sign = createSigner('sign', () => (pairs.length > 1 ? pairs.shift() : pairs[0]) as Credentials, {
    read: (isNew) => void told.push(isNew),
    failed: (error) => void told.push((error as NodeJS.ErrnoException).code),
  })
  const signed = () => sign('/path', Buffer.from('{}'))
  const first = signed()
  const look = (...read: Credentials[]) => {
    pairs = read
    sign.reload()
  }
  look({ authId: '1', secretKey: 'a' })
  look({ authId: '1', secretKey: 'b' }, { authId: '2', secretKey: 'b' })
  look({ authId: '', secretKey: 'b' })
  look({ authId: '2', secretKey: '' })
  look({ authId: '2\n3', secretKey: 'b' })
  look({ authId: '2', secretKey: 'b\nc' })
  t.equal(signed().sign, first.sign)
  t.equal(signed()['auth-id'], '1')
  look({ authId: '2', secretKey: 'b' })
  t.equal(signed()['auth-id'], '2')
  t.not(signed().sign, first.sign)
  t.strictSame(told, [false, 'EAGAIN', 'EMPTY', 'EMPTY', 'UNFIT', 'UNFIT', true])
})
