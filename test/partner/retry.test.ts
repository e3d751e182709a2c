import t from 'tap'
import type { Outcome } from '../../src/partner/outcome.ts'
import { isRepeatable, parseRetryAfter, pauseBeforeRetry as pauseAfter } from '../../src/partner/retry.ts'

const notSent: Outcome = { kind: 'not-sent', result: 'refused', cause: undefined }

/** Without a refusal of the credential. */
function pauseBeforeRetry(outcome: Outcome, all: number, random?: () => number): number | undefined {
  return pauseAfter(outcome, { all, refusals: 0 }, random)
}

function throttled(retryAfter?: string): Outcome {
  return { kind: 'throttled', result: 'http_4xx', retryAfter }
}

t.test('what was not sent is sent again twice, after pauses that may double and are random', async (t) => {
  const most = [1, 2].map((tries) => pauseBeforeRetry(notSent, tries, () => 1))
  t.strictSame(most, [200, 400])
  t.equal(
    pauseBeforeRetry(notSent, 1, () => 0.25),
    50,
  )
  t.equal(
    pauseBeforeRetry(notSent, 2, () => 0),
    0,
    'full jitter',
  )
  t.equal(pauseBeforeRetry(notSent, 3), undefined)
  for (let i = 0; i < 100; i++) {
    const pause = pauseBeforeRetry(notSent, 1)
    t.ok(pause !== undefined && pause >= 0 && pause < 200)
  }
})

t.test('a partner that throttles is asked again twice, after the pause it wants and never at once', async (t) => {
  t.equal(pauseBeforeRetry(throttled('2'), 1), 2000)
  t.equal(pauseBeforeRetry(throttled('2'), 2), 2000)
  t.equal(pauseBeforeRetry(throttled('2'), 3), undefined)
  t.equal(pauseBeforeRetry(throttled('0'), 1), 250)
  t.equal(pauseBeforeRetry(throttled('Sun, 06 Nov 1994 08:49:37 GMT'), 1), 250, 'a moment that has passed')
  t.equal(pauseBeforeRetry(throttled(), 1), 1000)
  t.equal(pauseBeforeRetry(throttled('soon'), 1), 1000)
})

t.test('nothing else is ever sent again', async (t) => {
  const others: Outcome[] = [
    { kind: 'created', result: 'ok', clientId: undefined },
    { kind: 'processing', result: 'ok' },
    { kind: 'rejected', result: 'rejected', partner: {} },
    { kind: 'duplicate', result: 'rejected' },
    { kind: 'no-such-request', result: 'rejected' },
    { kind: 'unknown', result: 'reset' },
  ]
  for (const outcome of others) {
    t.equal(pauseBeforeRetry(outcome, 1), undefined, outcome.kind)
    t.notOk(isRepeatable(outcome), outcome.kind)
  }
})

t.test('of what was not sent or was throttled the partner has nothing, so that a repetition is safe', async (t) => {
  t.ok(isRepeatable(notSent))
  t.ok(isRepeatable(throttled()))
})

const now = Date.UTC(1994, 10, 6, 8, 49, 0)

const retryAfters: [value: string | undefined, ms: number | undefined][] = [
  [undefined, undefined],
  ['0', 0],
  ['1', 1000],
  ['120', 120_000],
  ['999999999', 300_000],
  // The three forms of a date (RFC 9110, section 5.6.7).
  ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
  ['Sun Nov  6 08:49:37 1994', 37_000],
  ['Sun, 06 Nov 1994 08:48:00 GMT', 0],
  // Neither seconds nor a date.
  ['', undefined],
  [' ', undefined],
  ['-5', undefined],
  ['1.5', undefined],
  ['1e3', undefined],
  ['+5', undefined],
  ['5 seconds', undefined],
  ['soon', undefined],
  ['9999999999', 300_000],
  ['2026-11-06', undefined],
  ['1/2', undefined],
  ['1994-11-06T08:49:37Z', undefined],
  ['after Sun, 06 Nov 1994 08:49:37 GMT', undefined],
  ['Sun, 99 Nov 1994 08:49:37 GMT', undefined],
]

for (const [value, ms] of retryAfters) {
  t.test(`Retry-After ${JSON.stringify(value)} is ${ms === undefined ? 'ignored' : `${ms} ms`}`, async (t) => {
    t.equal(parseRetryAfter(value, now), ms)
  })
}

t.test('a date is GMT wherever the service runs', async (t) => {
  const { TZ } = process.env
  t.teardown(() => {
    if (TZ === undefined) delete process.env.TZ
    else process.env.TZ = TZ
  })
  process.env.TZ = 'Asia/Tashkent'
  t.equal(parseRetryAfter('Sun Nov  6 08:49:37 1994', now), 37_000)
  t.equal(parseRetryAfter('Sun, 06 Nov 1994 08:49:37 GMT', now), 37_000)
})

t.test('a date counts from now', async (t) => {
  const inAMinute = new Date(Date.now() + 60_000).toUTCString()
  const ms = parseRetryAfter(inAMinute)
  t.ok(ms !== undefined && ms > 0 && ms <= 60_000)
})

t.test('a refused credential is tried once more, at once, whatever the tries before ended with', async (t) => {
  const refused: Outcome = { kind: 'misconfigured', result: 'http_4xx', statusCode: 401 }
  t.ok(isRepeatable(refused))
  for (const all of [1, 2, 3]) t.equal(pauseAfter(refused, { all, refusals: 1 }), 0, `after ${all} tries`)
  t.equal(pauseAfter(refused, { all: 2, refusals: 2 }), undefined)
  t.equal(pauseAfter(throttled('2'), { all: 3, refusals: 1 }), 2000, 'and takes no try from the others')
  t.equal(pauseAfter(throttled('2'), { all: 4, refusals: 1 }), undefined)
})
