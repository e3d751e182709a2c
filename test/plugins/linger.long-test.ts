import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import t from 'tap'
import { sendRaw } from '../fixtures/raw-http.ts'
import { startTestService } from '../fixtures/service.ts'

const tooLarge = Buffer.alloc(5_000_000, 0x20)
const json = { 'content-type': 'application/json' }
const callers = 40

/** Each calls with a body that is too large, and resolves with the status that it heard, or why it heard none. */
type Call = (address: string, isChunked: boolean) => Promise<number | string>

async function* inPieces() {
  for (let at = 0; at < tooLarge.length; at += 100_000) yield tooLarge.subarray(at, at + 100_000)
}

const callWithFetch: Call = async (address, isChunked) => {
  const body = isChunked ? ReadableStream.from(inPieces()) : tooLarge
  try {
    const answer = await fetch(address, { method: 'POST', headers: json, body, duplex: 'half' })
    const { status } = (await answer.json()) as { status: number }
    return status
  } catch (error) {
    return String((error as Error).cause ?? error)
  }
}

const callWithHttp: Call = (address, isChunked) =>
  new Promise((resolve) => {
    const length = isChunked ? undefined : { 'content-length': tooLarge.length }
    const req = httpRequest(address, { method: 'POST', headers: { ...json, ...length, connection: 'close' } })
    req.on('response', (res) => {
      text(res).then(
        () => resolve(res.statusCode ?? 0),
        (error) => resolve(String(error)),
      )
    })
    // What could not be written any more does not matter once there is an answer.
    req.on('error', (error) => setImmediate(resolve, String(error)))
    req.end(tooLarge)
  })

const python = `
import concurrent.futures, http.client, sys, urllib.parse
address = urllib.parse.urlparse(sys.argv[1])
is_chunked = sys.argv[2] == 'true'
body = b' ' * 5000000
def call(_):
  try:
    pieces = (body[at:at + 100000] for at in range(0, len(body), 100000))
    connection = http.client.HTTPConnection(address.netloc)
    connection.request('POST', address.path, pieces if is_chunked else body, {'Content-Type': 'application/json', 'Connection': 'close'},
      encode_chunked=is_chunked)
    answer = connection.getresponse()
    answer.read()
    return str(answer.status)
  except Exception as error:
    return repr(error)
with concurrent.futures.ThreadPoolExecutor(8) as pool:
  print('\\n'.join(pool.map(call, range(int(sys.argv[3])))))
`

async function callWithPython(address: string, isChunked: boolean): Promise<(number | string)[]> {
  const { stdout } = await promisify(execFile)('python3', ['-c', python, address, String(isChunked), String(callers)])
  return stdout
    .trim()
    .split('\n')
    .map((status) => Number(status) || status)
}

const allAtOnce = (call: Call) => (address: string, isChunked: boolean) =>
  Promise.all(Array.from({ length: callers }, () => call(address, isChunked)))

function hasPython(): boolean {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const rows: [name: string, callAll: typeof callWithPython, skip?: string | false][] = [
  ['fetch', allAtOnce(callWithFetch)],
  ['node:http', allAtOnce(callWithHttp)],
  ['http.client of Python', callWithPython, hasPython() ? false : 'there is no Python'],
]

for (const [name, callAll, skip] of rows) {
  for (const isChunked of [false, true]) {
    const form = isChunked ? 'in chunks' : 'of a given length'
    t.test(`every caller with ${name} hears that a body ${form} is too large`, { skip }, async (t) => {
      const { url } = await startTestService(t)
      const heard = await callAll(`${url}/clients`, isChunked)
      t.equal(heard.length, callers)
      t.strictSame(
        heard.filter((status) => status !== 413),
        [],
      )
    })
  }
}

const refusedByRouter = {
  'an unknown address': ['/nowhere', 404],
  'a method that a route has not': ['/problems', 405],
  'an address that no router can read': ['/clients/%zz', 400],
} as const

for (const [name, callAll, skip] of rows) {
  for (const [what, [path, expected]] of Object.entries(refusedByRouter)) {
    t.test(`every caller with ${name} hears of ${what}, behind a large body`, { skip }, async (t) => {
      const { url } = await startTestService(t)
      const heard = await callAll(url + path, false)
      t.strictSame(new Set(heard), new Set([expected]))
    })
  }
}

const expecting = (length: number) =>
  `POST /clients HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`

t.test('a caller that asks whether to send a body over the limit is told not to', async (t) => {
  const { url } = await startTestService(t)
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(expecting(tooLarge.length))
  const answer = await text(socket)
  t.match(answer, /^HTTP\/1\.1 413 .*\r\nconnection: close\r\n/is)
  t.notMatch(answer, '100 Continue')
})

t.test('a caller that asks whether to send a body under the limit is told to', async (t) => {
  const { url, sandbox } = await startTestService(t)
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  t.teardown(() => socket.destroy())
  const body = '{"phone":"+998901234567"}'
  socket.write(expecting(body.length))
  const [first] = await once(socket, 'data')
  t.equal(String(first), 'HTTP/1.1 100 Continue\r\n\r\n')
  socket.write(body)
  const [second] = await once(socket, 'data')
  t.match(String(second), /^HTTP\/1\.1 201 /)
  t.equal(sandbox.clients().length, 1)
})

t.test('nothing behind a body that was refused is taken for a request', async (t) => {
  const { url, received } = await startTestService(t)
  const good = '{"phone":"+998901234567"}'
  const create = `POST /clients HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${good.length}\r\n\r\n${good}`
  const refused = `POST /clients HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${tooLarge.length}\r\n\r\n${tooLarge}`
  const answers = await sendRaw(url, refused + create)
  t.match(answers, [{ statusCode: 413 }])
  t.equal(answers.length, 1)
  t.strictSame(received, [])
})
