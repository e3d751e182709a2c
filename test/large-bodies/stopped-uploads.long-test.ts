import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startPartner, startReady } from '../fixtures/program.ts'
import { call, phoneFor } from '../fixtures/service.ts'
import { until } from '../fixtures/until.ts'

const uploads = 500
const body = Buffer.alloc(3 * 1024 * 1024, 0x20)
const head = (headers: string) =>
  `POST /clients HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${headers}\r\n`

/** As the image and `npm start` run it. */
function readAllocatorSettings(t: Test): Record<string, string> {
  const image = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8')
  const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  const settings = Object.fromEntries(
    [...image.matchAll(/\b(MALLOC_[A-Z_]+)=(\d+)/g)].map(([, name, value]) => [name, value]),
  )
  for (const [name, value] of Object.entries(settings))
    t.match(scripts.start, `${name}=${value}`, 'npm start has it, too')
  return settings
}

function readStatusMb(pid: number | undefined, name: string): number {
  const line = new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(line?.[1]) / 1024
}

/** Sends all of its body but one byte, and resolves with the status line that comes, or with '' while there is none. */
function upload(url: string, headers: string): { socket: Socket; heard: () => string; written: Promise<void> } {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let heard = ''
  socket.on('data', (chunk: Buffer) => {
    heard += chunk
  })
  socket.on('error', () => {})
  socket.write(head(headers))
  const written = new Promise<void>((resolve) => {
    socket.write(body.subarray(1), () => resolve())
    socket.once('close', () => resolve())
  })
  return { socket, heard: () => heard, written }
}

const skip = process.platform === 'linux' ? false : 'memory is read from /proc'

t.test(
  'many large uploads that stop before their end hold little memory, and leave none behind',
  { skip },
  async (t) => {
    const partner = await startPartner(t)
    const { url, child } = await startReady(t, { ...partner.settings, ...readAllocatorSettings(t) })
    const startMb = readStatusMb(child.pid, 'VmRSS')
    const callers = Array.from({ length: uploads }, (_, i) =>
      upload(url, i % 2 === 0 ? '' : `Idempotency-Key: ${i}\r\n`),
    )
    t.teardown(() => callers.forEach(({ socket }) => void socket.destroy()))
    await Promise.all(callers.map(({ written }) => written))
    await until(() => callers.filter(({ heard }) => heard() !== '').length >= uploads - 64)
    const answers = callers.map(({ heard }) => heard())
    t.equal(answers.filter((answer) => answer === '').length, 64, 'as many as there are places are being read')
    t.ok(answers.every((answer) => answer === '' || /^HTTP\/1\.1 503 .*"code":"overloaded"/s.test(answer)))
    t.equal(
      answers.filter((answer) => answer.includes('"same-key-only"')).length,
      answers.filter((answer, i) => answer !== '' && i % 2 === 1).length,
    )

    const small = await call(
      `${url}/clients`,
      'POST',
      { 'content-type': 'application/json' },
      JSON.stringify({ phone: phoneFor('567') }),
    )
    t.equal(small.statusCode, 201, 'a small body is not refused')

    const peakMb = readStatusMb(child.pid, 'VmHWM')
    for (const { socket } of callers) socket.destroy()
    let restMb = Number.POSITIVE_INFINITY
    for (
      const until = performance.now() + 10_000;
      restMb - startMb >= 200 && performance.now() < until;
      await pause(100)
    ) {
      restMb = readStatusMb(child.pid, 'VmRSS')
    }
    t.comment(
      `RSS at the start ${startMb.toFixed()} MB, peak ${peakMb.toFixed()} MB, in the end ${restMb.toFixed()} MB`,
    )
    // Above the start, which holds what the test runner loads into each process. Without the places it is 1,500 MB.
    t.ok(peakMb - startMb < 400, `peak ${peakMb.toFixed()} MB`)
    t.ok(restMb - startMb < 200, `rest ${restMb.toFixed()} MB`)
  },
)
