import t from 'tap'
import { insufficientScope, readBearerToken, unauthenticated } from '../../src/auth/bearer-token.ts'

const realm = 'Bearer realm="freedompay-clients"'

/** As Node has them. */
function toRawHeaders(...values: string[]): string[] {
  return ['Host', 'localhost', ...values.flatMap((value) => ['Authorization', value]), 'Accept', '*/*']
}

const tokens: [line: string, token: string][] = [
  ['Bearer abc', 'abc'],
  ['bearer abc', 'abc'],
  ['BEARER   abc', 'abc'],
  ['Bearer aZ09-._~+/==', 'aZ09-._~+/=='],
  [`Bearer ${'a'.repeat(8185)}`, 'a'.repeat(8185)],
]

for (const [line, token] of tokens) {
  t.test(`${line.slice(0, 30)} carries a token`, async (t) => {
    t.equal(readBearerToken(toRawHeaders(line)), token)
    t.equal(readBearerToken(['AUTHORIZATION', line]), token, 'whatever the case of the name')
  })
}

const notOneToken = [
  '',
  'Bearer',
  'Bearer ',
  'abc',
  'Basic abc',
  'XBearer abc',
  'Bearer abc def',
  'Bearer abc, Bearer def',
  'Bearer abc ',
  'Bearer a=b',
  'Bearer "abc"',
  'Bearer ключ',
  `Bearer ${'a'.repeat(8186)}`,
]

for (const line of notOneToken) {
  t.test(`${JSON.stringify(line).slice(0, 30)} is not Bearer and one token`, async (t) => {
    t.throws(() => readBearerToken(toRawHeaders(line)), {
      code: 'unauthenticated',
      body: { detail: 'The credential is not accepted: the Authorization header must be Bearer and one token.' },
      headers: {
        'www-authenticate': `${realm}, error="invalid_token", error_description="the Authorization header must be Bearer and one token"`,
      },
    })
  })
}

t.test('without a credential no error is named', async (t) => {
  for (const rawHeaders of [
    [],
    toRawHeaders(),
    ['X-Authorization', 'Bearer abc'],
    // Of the same length.
    ['If-Unmodified', 'Bearer abc'],
    // A value that is the name of the header.
    ['X-Name', 'authorization', 'Bearer abc', 'x'],
  ]) {
    t.throws(() => readBearerToken(rawHeaders), {
      code: 'unauthenticated',
      body: { detail: 'The request has no credential. Send `Authorization: Bearer <credential>`.' },
      headers: { 'www-authenticate': realm },
    })
  }
})

t.test('two credentials are none, even where both are the same', async (t) => {
  for (const second of ['Bearer abc', 'Bearer def', 'Basic abc', '']) {
    t.throws(() => readBearerToken(toRawHeaders('Bearer abc', second)), {
      code: 'unauthenticated',
      body: { detail: 'The credential is not accepted: there must be one Authorization header.' },
    })
  }
})

t.test('the reason and the cause of a refusal are kept', async (t) => {
  const cause = new Error('why')
  const problem = unauthenticated('the key is not known', cause)
  t.equal(problem.cause, cause)
  t.match(problem, {
    code: 'unauthenticated',
    body: { detail: 'The credential is not accepted: the key is not known.' },
    headers: {
      'www-authenticate': `${realm}, error="invalid_token", error_description="the key is not known"`,
    },
  })
})

t.test('a scope that is missing is named', async (t) => {
  t.match(insufficientScope('clients:create'), {
    code: 'forbidden',
    body: { detail: 'The token does not have the scope that this service requires.' },
    headers: { 'www-authenticate': `${realm}, error="insufficient_scope", scope="clients:create"` },
  })
})
