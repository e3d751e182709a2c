import t from 'tap'
import packageJson from '../../package.json' with { type: 'json' }
import { describeError } from '../../src/telemetry/describe-error.ts'
import { settleWrites } from '../../src/telemetry/log-destination.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { RequestLog } from '../../src/telemetry/request-log.ts'

const own = { service: 'freedompay-clients', version: packageJson.version }
const personal = 'phone +998901234567'

function logging(level: Parameters<typeof createLogger>[0] = 'info') {
  const lines: string[] = []
  return { lines, log: createLogger(level, { write: (line: string) => void lines.push(line) }) }
}

class TransportError extends Error {
  code = 'ECONNREFUSED'
  syscall = 'connect'
  address = '127.0.0.1'
  port = 3000
  statusCode = 502
  body = personal
}

t.test('of an error it tells the type, the fields that are known to be harmless, and where it happened', async (t) => {
  const error = Object.assign(new TransportError(personal), { name: 'TransportError' })
  const { stack, ...fields } = describeError(error)
  t.strictSame(fields, {
    type: 'TransportError',
    code: 'ECONNREFUSED',
    syscall: 'connect',
    address: '127.0.0.1',
    port: 3000,
    statusCode: 502,
  })
  t.match(stack, /^at .*logger\.test\.ts/)
})

const withStack = (message: string, stack: string | undefined) => Object.assign(new Error(message), { stack })

for (const [name, error] of Object.entries({
  'of one line': new Error(personal),
  'of several lines': new Error(`cannot read\n${personal}`),
  'that looks like a place in the code': new Error(`cannot read {\n    at ${personal}\n}`),
  'in a cause': new Error('outer', { cause: new Error(personal) }),
  'in a cause of a cause': new Error('outer', { cause: new Error('inner', { cause: new SyntaxError(personal) }) }),
  'of an error without a stack': withStack(personal, undefined),
  'of an error with an odd stack': withStack(personal, personal),
  'that is no error at all': personal,
  'in a plain object': { message: personal },
})) {
  t.test(`a message ${name} is not told`, async (t) => {
    const { lines, log } = logging()
    log.error({ err: error }, 'failed')
    t.equal(lines.length, 1)
    t.notMatch(lines[0], '998901234567')
    t.match(JSON.parse(lines[0] ?? ''), { level: 'error', msg: 'failed' })
  })
}

t.test('a parser that quotes the body is not quoted', async (t) => {
  try {
    JSON.parse(`{"phone":\n    at +998901234567`)
  } catch (error) {
    t.match((error as Error).message, /99890/, 'this is what it is about')
    t.notMatch(JSON.stringify(describeError(error)), /99890/)
  }
})

t.test('causes are told one below the other', async (t) => {
  const root = Object.assign(new TypeError(personal), { code: 'ERR_ROOT' })
  const described = describeError(new Error('outer', { cause: new RangeError('middle', { cause: root }) }))
  t.match(described, { type: 'Error', cause: { type: 'RangeError', cause: { type: 'TypeError', code: 'ERR_ROOT' } } })
  t.match(describeError(new Error('outer', { cause: personal })), { type: 'Error', cause: { type: 'string' } })
})

t.test('an error and the error of its clean-up are both told', async (t) => {
  const error = new SuppressedError(new TypeError(personal), new RangeError(personal))
  t.match(describeError(error), {
    type: 'SuppressedError',
    error: { type: 'TypeError' },
    suppressed: { type: 'RangeError' },
  })
  t.notMatch(JSON.stringify(describeError(error)), '998901234567')
})

t.test('causes that go round in a circle come to an end', async (t) => {
  const error = new Error('outer')
  error.cause = new Error('inner', { cause: error })
  t.match(describeError(error), { type: 'Error', cause: { type: 'Error' } })
})

for (const [thrown, type] of [
  [undefined, 'undefined'],
  [null, 'object'],
  ['text', 'string'],
  [{ code: 'E' }, 'object'],
] as const) {
  t.test(`${JSON.stringify(thrown)}, thrown, is told by its type alone`, async (t) => {
    t.strictSame(describeError(thrown), { type })
  })
}

t.test('what must never be in a log is redacted, wherever it came from', async (t) => {
  const { lines, log } = logging()
  const names = ['phone', 'firstName', 'lastName', 'middleName', 'birthDate', 'email', 'personId', 'document']
  const more = ['authorization', 'secretKey', 'body', 'headers', 'req', 'res']
  for (const name of [...names, ...more]) log.info({ [name]: personal, requestId: 'kept' }, 'line')
  log.info({ body: { phone: personal } }, 'line')
  log.child({ phone: personal }).info('line')
  t.equal(lines.length, names.length + more.length + 2)
  for (const line of lines) t.notMatch(line, '998901234567')
  t.match(JSON.parse(lines[0] ?? ''), { phone: '[redacted]', requestId: 'kept' })
})

t.test('a line is JSON with the level by name, the time as RFC 3339, and nothing about the machine', async (t) => {
  const { lines, log } = logging()
  log.warn({ reqId: 'r-1' }, 'said')
  const { time, ...line } = JSON.parse(lines[0] ?? '')
  t.strictSame(line, { ...own, level: 'warn', reqId: 'r-1', msg: 'said' })
  t.equal(new Date(time).toISOString(), time)
})

t.test('less than the level is not logged', async (t) => {
  const { lines, log } = logging('error')
  log.warn('said')
  t.strictSame(lines, [])
  logging('silent').log.fatal('said')
  t.strictSame(lines, [])
})

function requestLogging(level: Parameters<typeof createLogger>[0] = 'info') {
  const { lines, log } = logging(level)
  return { lines, log: new RequestLog(log, 'r-1') }
}

const summary = { method: 'POST', route: '/clients', statusCode: 201, durationMs: 1.5 }

t.test('every line of a request says whose it is', async (t) => {
  const { lines, log } = requestLogging('trace')
  log.info('text alone')
  log.requestId = 'c-1'
  log.warn({ operation: 'add' }, 'fields and a text')
  log.outcome = 'created'
  log.debug({ requestId: 'c-2' }, 'its own')
  log.trace({}, 'traced')
  log.fatal({}, 'fatal')
  log.child({ part: 'x' }).info('child')
  log.summarise(summary, 'request')
  const told = lines.map((line) => JSON.parse(line))
  t.strictSame(
    told.map(({ time, level, reqId, service, version, ...rest }) => rest),
    [
      { msg: 'text alone' },
      { requestId: 'c-1', operation: 'add', msg: 'fields and a text' },
      { requestId: 'c-2', outcome: 'created', msg: 'its own' },
      { requestId: 'c-1', outcome: 'created', msg: 'traced' },
      { requestId: 'c-1', outcome: 'created', msg: 'fatal' },
      { requestId: 'c-1', outcome: 'created', part: 'x', msg: 'child' },
      {
        requestId: 'c-1',
        outcome: 'created',
        method: 'POST',
        route: '/clients',
        statusCode: 201,
        durationMs: 1.5,
        msg: 'request',
      },
    ],
  )
  t.ok(told.every(({ reqId, time }) => reqId === 'r-1' && /^\d{4}-.*Z$/.test(time)))
  t.strictSame(
    told.map(({ level }) => level),
    ['info', 'warn', 'debug', 'trace', 'fatal', 'info', 'info'],
  )
})

t.test('the summary keeps to the level, too', async (t) => {
  const { lines, log } = requestLogging('warn')
  log.summarise(summary, 'request')
  t.strictSame(lines, [])
})

t.test('a request’s error is told without its message, even where nobody gave another', async (t) => {
  const { lines, log } = requestLogging()
  log.error(new Error(personal))
  log.error({ err: new Error(personal) })
  log.error({ err: new Error(personal), phone: '+998901234567' }, 'failed')
  t.equal(lines.length, 3)
  t.notMatch(lines.join(''), '998901234567')
  t.match(JSON.parse(lines[2] ?? ''), { msg: 'failed', phone: '[redacted]' })
  t.ok(
    lines.every((line) => line.split('"msg":').length === 2),
    'with one message each',
  )
})

t.test('no logger tells the message of an error, with or without a text of its own', async (t) => {
  const lines: string[] = []
  const log = createLogger('info', { write: (line: string) => void lines.push(line) })
  for (const logger of [log, log.child({ part: 'ledger' })]) {
    logger.error(new Error(personal))
    logger.error({ err: new Error(personal) })
    logger.error(new Error(personal), 'failed')
  }
  t.equal(lines.length, 6)
  t.notMatch(lines.join(''), '998901234567')
  t.match(JSON.parse(lines[5] ?? ''), { msg: 'failed', part: 'ledger', err: { type: 'Error' } })
})

t.test('writes are settled only once the destination says so', async (t) => {
  const flushed = Promise.withResolvers<void>()
  const destination = { write: () => {}, flush: (done: () => void) => void flushed.promise.then(done) }
  let isSettled = false
  const settling = settleWrites(createLogger('info', destination)).then(() => {
    isSettled = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(isSettled, false)
  flushed.resolve()
  await settling
})

t.test(
  'every line says which service of which version, and of which trace; the last also the code of a problem',
  async (t) => {
    const { lines, log } = logging()
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    const ofRequest = new RequestLog(log, 'r-1', `00-${traceId}-b7ad6b7169203331-01`)
    ofRequest.info('text alone')
    ofRequest.warn({ code: 'overloaded' }, 'fields and a text')
    ofRequest.code = 'overloaded'
    ofRequest.summarise({ ...summary, statusCode: 503 }, 'request')
    new RequestLog(log, 'r-2', 'malformed').summarise(summary, 'request')
    const told = lines.map((line) => JSON.parse(line))
    t.match(told, [
      { ...own, traceId },
      { ...own, traceId, code: 'overloaded' },
      { ...own, traceId, code: 'overloaded', statusCode: 503 },
      own,
    ])
    t.notOk('traceId' in told[3] || 'code' in told[3])
  },
)
