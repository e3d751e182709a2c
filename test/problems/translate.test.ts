import t from 'tap'
import { Problem } from '../../src/problems/problem.ts'
import { invalidRequest, toProblem } from '../../src/problems/translate.ts'

const failWith = (code: string | undefined, statusCode?: number) =>
  Object.assign(new Error('why'), { code, statusCode })

const rows: [name: string, error: unknown, code: string, status: number, errors?: object[]][] = [
  ['a body that is too large', failWith('FST_ERR_CTP_BODY_TOO_LARGE', 413), 'body-too-large', 413],
  ['another media type', failWith('FST_ERR_CTP_INVALID_MEDIA_TYPE', 415), 'unsupported-media-type', 415],
  [
    'another length than was said',
    failWith('FST_ERR_CTP_INVALID_CONTENT_LENGTH', 400),
    'invalid-request',
    400,
    [{ pointer: 'content-length', message: 'must be the length of the body' }],
  ],
  [
    'an address that cannot be decoded',
    failWith('FST_ERR_BAD_URL', 400),
    'invalid-request',
    400,
    [{ pointer: '', message: 'the address cannot be decoded' }],
  ],
  [
    'an address that is too long',
    failWith('FST_ERR_MAX_PARAM_LENGTH', 414),
    'invalid-request',
    414,
    [{ pointer: '', message: 'the address is too long' }],
  ],
  ['the least status of a fault of the caller', failWith(undefined, 400), 'invalid-request', 400, []],
  ['the greatest status of a fault of the caller', failWith('X', 499), 'invalid-request', 499, []],
  ['a status that is no fault', failWith('X', 399), 'internal', 500],
  ['a fault of ours', failWith('FST_ERR_SEND_INSIDE_ONERR', 500), 'internal', 500],
  ['an error without a status', new Error('why'), 'internal', 500],
  ['a text', 'why', 'internal', 500],
  ['nothing', undefined, 'internal', 500],
  ['null', null, 'internal', 500],
]

for (const [name, error, code, status, errors] of rows) {
  t.test(`${name} becomes ${code}`, async (t) => {
    const problem = toProblem(error)
    t.equal(problem.code, code)
    t.equal(problem.status, status)
    t.strictSame(problem.body.errors, errors)
    t.equal(problem.cause, error)
  })
}

t.test('a problem stays the one it is', async (t) => {
  const problem = new Problem('not-found')
  t.equal(toProblem(problem), problem)
})

t.test('an invalid request needs no cause', async (t) => {
  const { status, cause, body } = invalidRequest('/phone', 'is required')
  t.equal(status, 400)
  t.equal(cause, undefined)
  t.strictSame(body.errors, [{ pointer: '/phone', message: 'is required' }])
})
